"""The main job end to end, on a folder of small properties that hold, fail, break, hang about or wait for a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from verifier import evidence, pytest_run
from verifier.errors import UsageError
from verifier.evidence import writable
from verifier.verify import Options

ROOT = Path(__file__).parent.parent

DRIVER = """
import os
import sys

from verifier import claims, cli, rules, verify

if __name__ == "__main__":  # these tests are about what is around the proofs and claims
    rules.names = lambda: ("sgd",)
    if not os.environ.get("WITH_PROOFS"):
        verify._Job.prove = lambda job, phase: None
    claims.settle = lambda *arguments, **options: []
    sys.exit(cli.run(sys.argv[1:]))
"""

HEAD = "import time\n\nfrom verifier import record\nfrom verifier.rules.sgd import rule\n"

HOLDS = """
def test_holds(subject):
    record.current().compared(1)
"""

SLOW = """
def test_slow(subject):
    record.current().compared(1)
    time.sleep(2.5)
"""

VIOLATED = """
def test_wrong(subject):
    seen = record.current()
    seen.compared(1)
    seen.violation = record.Violation("a number is another", subject=subject, observed="1.0", expected="2.0")
    raise seen.violation
"""

BREAKS = """
def test_breaks(subject):
    record.current().compared(1)
    raise RuntimeError("our fault")
"""

Files = Mapping[str, str]


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., list[str]]:
    """Lays out a folder of properties; the command that verifies them."""
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER, encoding="utf-8")
    (tmp_path / "properties").mkdir()

    def lay(*tests: str, listed: str = "") -> list[str]:
        (tmp_path / "properties" / "test_sgd.py").write_text(HEAD + "\n".join(tests), encoding="utf-8")
        (tmp_path / "properties" / "expected.toml").write_text(listed, encoding="utf-8")
        return [sys.executable, str(driver), "verify", "--profile", "smoke", "--workers", "1"]

    return lay


def start(command: list[str], folder: Path, **more: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VERIFIER_", "PYTEST_"))}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def the_evidence(folder: Path) -> Path:
    (path,) = (folder / "reports" / "evidence").glob("verify-*.jsonl")
    return path


def rows(folder: Path) -> list[dict[str, object]]:
    return [record for record in evidence.read(the_evidence(folder)) if record["kind"] == "evidence"]


def wait_for_rows(folder: Path, count: int) -> None:
    """Returns once `count` properties have been measured."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if list((folder / "reports" / "evidence").glob("*.jsonl")) and len(rows(folder)) >= count:
            return
        time.sleep(0.1)
    raise TimeoutError(f"fewer than {count} rows after 90 s")


def test_what_holds_is_reported(job: Callable[..., list[str]], tmp_path: Path) -> None:
    """A run in which everything holds ends with 0, writes three reports and the JSON, and says so in its last line."""
    code, out, err = finish(start([*job(HOLDS), "--json", "results/found.json"], tmp_path, WITH_PROOFS="1"))

    assert 0 == code, out + err
    assert out.rstrip().endswith("(exit 0)")
    assert "\x1b" not in out + err
    for name in ("report.md", "report.html", "report.json"):
        assert (tmp_path / "reports" / name).stat().st_size > 0
    found = json.loads((tmp_path / "results" / "found.json").read_text(encoding="utf-8"))
    assert 0 == found["exit_code"]
    assert "sgd.code@cpu-reals-forloop" in {row["id"] for row in rows(tmp_path)}
    assert found["summary"]["held"] == len([row for row in rows(tmp_path) if row["verdict"] == "held"]) > 0


def test_a_violation_ends_with_1_until_it_is_listed(job: Callable[..., list[str]], tmp_path: Path) -> None:
    """Unlisted it is 1; listed with a reason it is 0, as long as something else holds."""
    code, out, _ = finish(start(job(HOLDS, VIOLATED), tmp_path))
    listed = '[[expect]]\nid = "sgd.wrong@*"\nreason = "the test makes it so"\n'
    code_listed, out_listed, _ = finish(start([*job(HOLDS, VIOLATED, listed=listed), "--out", "again"], tmp_path))

    assert 1 == code, out
    assert "observed 1.0, but should be 2.0" in " ".join(out.split())
    assert 0 == code_listed, out_listed


def test_a_listing_that_is_stale_ends_with_4(job: Callable[..., list[str]], tmp_path: Path) -> None:
    """A listed failure that passes, or an id that matches nothing, has to be taken off the list."""
    listed = '[[expect]]\nid = "sgd.holds@*"\nreason = "it was so once"\n'
    code, out, _ = finish(start([*job(HOLDS, listed=listed), "--profile", "ci"], tmp_path))

    assert 4 == code, out


def test_our_fault_ends_with_5(job: Callable[..., list[str]], tmp_path: Path) -> None:
    """An exception in the check itself is not the subject's violation."""
    code, out, _ = finish(start(job(HOLDS, BREAKS), tmp_path))

    assert 5 == code, out
    assert "broke" in out.splitlines()[-1]


def test_properties_that_cannot_be_imported_end_with_5(job: Callable[..., list[str]], tmp_path: Path) -> None:
    """A module that cannot be imported is a row of its own, however well the others do."""
    command = job(HOLDS)
    (tmp_path / "properties" / "test_broken.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    code, out, _ = finish(start(command, tmp_path))

    assert 5 == code, out
    assert "broken.collection@all" in out
    assert "nothing_of_this_name" in out


def test_ctrl_c_keeps_the_evidence_and_the_next_run_goes_on(job: Callable[..., list[str]], tmp_path: Path) -> None:
    """The report of what was measured is written, exit code 130; the next run says so and measures only the rest."""
    command = job(SLOW)
    process = start(command, tmp_path)
    wait_for_rows(tmp_path, 2)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    before = len(rows(tmp_path))

    assert 130 == code, out + err
    assert "(exit 130)" in out.splitlines()[-1]
    assert (tmp_path / "reports" / "report.html").exists()
    assert "Traceback" not in out + err

    code, out, err = finish(start(command, tmp_path))

    assert 0 == code, out + err
    assert f"interrupted after {before} rows; going on from" in err
    ids = [row["id"] for row in rows(tmp_path)]
    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends pytest together with a killed parent")
def test_kill_9_loses_no_finished_row(job: Callable[..., list[str]], tmp_path: Path) -> None:
    """Killed half way, nothing goes on writing, and the next run goes on from every row that was finished."""
    command = job(SLOW)
    process = start(command, tmp_path)
    wait_for_rows(tmp_path, 2)
    process.kill()
    process.communicate(timeout=60)
    time.sleep(1)
    before = len(rows(tmp_path))
    time.sleep(1)
    assert before == len(rows(tmp_path))
    with the_evidence(tmp_path).open("a", encoding="utf-8") as file:
        file.write('{"kind": "evidence", "id": "half a li')

    code, out, err = finish(start(command, tmp_path))

    assert 0 == code, out + err
    assert f"interrupted after {before} rows; going on from" in err
    ids = [row["id"] for row in rows(tmp_path)]
    assert sorted(set(ids)) == sorted(ids)


def test_a_finished_run_is_not_gone_on_from(job: Callable[..., list[str]], tmp_path: Path) -> None:
    """After a run that reached its end the next one measures everything anew, in a file of its own."""
    command = job(HOLDS)
    finish(start(command, tmp_path))
    time.sleep(1)  # runs are named by the second
    code, _, err = finish(start(command, tmp_path))

    assert 0 == code
    assert "going on" not in err
    assert 2 == len(list((tmp_path / "reports" / "evidence").glob("verify-*.jsonl")))


def test_an_unwritable_folder_is_a_usage_error(tmp_path: Path) -> None:
    """A file in the way is named, with what the system says."""
    (tmp_path / "reports").write_text("", encoding="utf-8")

    with pytest.raises(UsageError, match="reports folder cannot be written to"):
        writable(tmp_path / "reports" / "evidence")


def test_progress_counts_what_takes_time(tmp_path: Path) -> None:
    """Rows an earlier run left and rows no device could run are neither planned nor done; a torn line waits."""
    path = tmp_path / "rows.jsonl"
    evidence.append(path, {"kind": "evidence", "verdict": "held"})
    tail = pytest_run.Tail(path)
    evidence.append(path, {"kind": "planned", "planned": 6, "resumed": 1})
    evidence.append(path, {"kind": "evidence", "verdict": "untestable"})
    evidence.append(path, {"kind": "evidence", "verdict": "violated"})
    evidence.append(path, {"kind": "evidence", "verdict": "violated", "expected_failure": "known"})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"kind": "evidence", "verdict": "bro')

    seen = tail.read()
    assert (4, 2, "1 violated") == (seen.planned, seen.done, seen.note)

    with path.open("a", encoding="utf-8") as file:
        file.write('ken"}\n')
    assert (3, "1 violated, 1 broken") == (tail.read().done, seen.note)


def test_the_pytest_command_can_be_run_by_hand(tmp_path: Path) -> None:
    """Everything that decides the result is on the command line; the environment only keeps other plugins out."""
    task = pytest_run.PytestRun(
        properties=tmp_path / "properties",
        evidence=tmp_path / "rows.jsonl",
        log=tmp_path / "log",
        device="cpu",
        profile="smoke",
        seed=7,
        workers=2,
        expected=tmp_path / "expected.toml",
    )

    assert "--hypothesis-seed=7" in task.command
    assert ["-n", "2"] == task.command[task.command.index("-n") : task.command.index("-n") + 2]
    assert "PYTEST_ADDOPTS" not in task.environment
    assert "all" == Options().device
