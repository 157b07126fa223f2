"""An audit names what is wrong with an optimizer, passes what is right, and says what it is."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from verifier import expected
from verifier.auditing import findings as audit_findings
from verifier.auditing import replay, running
from verifier.auditing import targets as audit_targets
from verifier.auditing.audit import AuditFailed, AuditReport, audit, baseline
from verifier.cli import run
from verifier.errors import UsageError
from verifier.lift.construct import resolve
from verifier.pytest import parametrize
from verifier.pytest_run import NOTHING_COLLECTED

HERE = "tests.broken.optimizers"


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> AuditReport:
    """The audit of an optimizer that writes its gradient, and of the right one beside it."""
    folder = tmp_path_factory.mktemp("audit")
    return audit(f"{HERE}:WritesGradient", f"{HERE}:Right", profile="smoke", out=folder, workers=2, quiet=True)


def finding(report: AuditReport, law: str) -> audit_findings.Finding:
    """The finding that shows in a law."""
    return next(f for f in report.findings if any(f".{law}@" in row for row in f.rows))


def test_names_the_wrong_one_and_passes_the_right_one(wrong: AuditReport) -> None:
    """Only the wrong optimizer has findings; the exit code is 1, and raise_for_status raises."""
    assert {f"{HERE}:WritesGradient"} == {f.target for f in wrong.findings}
    assert 1 == wrong.exit_code
    with pytest.raises(AuditFailed, match="writesgradient"):
        wrong.raise_for_status()


def test_finding_has_a_script_that_was_run(wrong: AuditReport) -> None:
    """The script has 25 lines at most, imports torch and the target alone, and exits 1."""
    found = finding(wrong, "purity")
    lines = Path(found.repro).read_text(encoding="utf-8").splitlines()

    assert len(lines) <= 25
    imports = [line for line in lines if line.startswith(("import", "from"))]
    assert ["import torch", f"from {HERE} import WritesGradient"] == imports
    done = subprocess.run([sys.executable, found.repro], capture_output=True, check=False, env={"PYTHONPATH": "."})
    assert 1 == done.returncode


def test_finding_says_which_settings_matter(wrong: AuditReport) -> None:
    """Without weight decay nothing is written to .grad, so weight decay matters, and nothing else does."""
    assert ["weight_decay"] == [text.partition(" ")[0] for text in finding(wrong, "purity").matters]


def test_equal_failures_are_one_finding(wrong: AuditReport) -> None:
    """The same breach in several formats and implementations is one finding with a count."""
    assert len(finding(wrong, "purity").rows) > 1


def test_report_begins_with_what_the_optimizer_is(wrong: AuditReport) -> None:
    """The first lines of a target give its formula and its weight-decay semantics."""
    text = str(wrong)

    assert "formula" in text and "weight decay    coupled" in text


def test_replay_fails_while_the_defect_is_there(wrong: AuditReport) -> None:
    """A recorded failure that is still there is FAILED; one whose law holds now is FIXED; a lost target is an ERROR."""
    folder = wrong.options.out / "replays"
    recorded = replay.load(finding(wrong, "purity").replay, folder)

    assert "FAILED" == replay.replay(recorded)[0]
    mended = replay.Recorded(**{**vars(recorded), "target": f"{HERE}:Right", "law": "right.purity"})
    assert "FIXED" == replay.replay(mended)[0]
    lost = replay.Recorded(**{**vars(recorded), "target": f"{HERE}:Gone"})
    assert "ERROR" == replay.replay(lost)[0]


def test_replay_is_told_with_the_folder_it_needs(wrong: AuditReport, capsys: pytest.CaptureFixture[str]) -> None:
    """The command that a finding ends with finds the failure, wherever the audit left it."""
    line = next(line.split("again")[1] for line in str(wrong).splitlines() if "verifier replay" in line)

    assert 1 == run(shlex.split(line)[1:])
    assert "FAILED" in capsys.readouterr().out


def test_baseline_lists_what_fails(wrong: AuditReport, tmp_path: Path) -> None:
    """The list written covers every violated row, sorted, and is read back."""
    path = tmp_path / "expected.toml"

    count = baseline(wrong, path)
    entries = expected.read(path)

    assert count == len(entries) == len({row["id"] for row in wrong.rows if row["verdict"] == "violated"})
    assert [entry.id for entry in entries] == sorted(entry.id for entry in entries)
    again = baseline(wrong, path)
    assert count == again


def test_baseline_drops_what_matches_nothing_where_that_can_be_told(wrong: AuditReport, tmp_path: Path) -> None:
    """A ci run covers every row: what is listed and matches none is not listed again; after a smoke run it may be."""
    path = tmp_path / "expected.toml"
    count = baseline(wrong, path)
    rest = '[[expect]]\nid = "writesgradient.gone@*"\nreason = "x"\n\n[[expect]]\nid = "a.b@cuda-*"\nreason = "y"\n'
    listed = path.read_text(encoding="utf-8") + rest

    counts = []
    for profile in ("smoke", "ci"):
        path.write_text(listed, encoding="utf-8")
        counts.append(baseline(replace(wrong, options=replace(wrong.options, profile=profile)), path))

    assert [count + 2, count + 1] == counts
    assert "a.b@cuda-*" in [entry.id for entry in expected.read(path)]


def test_stale_list_of_an_audit_is_said(tmp_path: Path) -> None:
    """A listed id that matches no row makes the exit code 4; one of a device that is not there does not."""
    path = tmp_path / "expected.toml"
    rest = '[[expect]]\nid = "a.b@cuda-*"\nreason = "y"\n\n[[expect]]\nid = "right.gone@*"\nreason = "x"\n'
    path.write_text(rest, encoding="utf-8")
    plain = ("lr=0.1", "momentum=0.0", "weight_decay=0.0")

    report = audit(f"{HERE}:Right", profile="ci", device="cpu", args=plain, expected=path, out=tmp_path, quiet=True)

    assert ("right.gone@* matches nothing that was run",) == report.stale
    assert 4 == report.exit_code


def test_file_that_audits_its_own_class_ends_its_import_there(tmp_path: Path) -> None:
    """What stands above the audit is defined, and a script that imports the file shows nothing and says so."""
    mine, script = tmp_path / "of_its_own.py", tmp_path / "script.py"
    head = "import verifier\nfrom torch.optim import SGD\n\n\nclass Mine(SGD):\n    pass\n\n\n"
    mine.write_text(f"{head}verifier.audit(Mine)\nraise AssertionError\n", encoding="utf-8")
    script.write_text("from of_its_own import Mine\n", encoding="utf-8")

    name, found = resolve(f"{mine}:Mine")
    (ran,) = running.run([script], 60, fresh=False)

    assert (f"{mine}:Mine", "Mine") == (name, found.__name__)
    assert running.AUDITS == ran.code


def test_class_that_no_other_process_can_import_is_said() -> None:
    """A class made inside of a function, or read from standard input, is refused with what to do about it."""

    class Local:
        def step(self) -> None: ...

    with pytest.raises(UsageError, match=r"Local is defined inside of a function.*write it at the top of a file"):
        audit(Local)
    told = "import verifier\nclass Mine: ...\nverifier.audit(Mine)\n"
    done = subprocess.run([sys.executable, "-"], input=told, capture_output=True, text=True, check=False)
    assert "UsageError: class Mine is defined in no file" in done.stderr


def test_decorator_refuses_what_cannot_be_asked() -> None:
    """A rule with an option that the class has none of is said when tests are collected; nothing is skipped for it."""
    with pytest.raises(UsageError, match="dampening"):
        parametrize(f"{HERE}:Right", rule="sgd_momentum")


def test_equals_the_declared_rule_or_says_which_mistake(tmp_path: Path) -> None:
    """Held to adamw, torch's Adam is refuted, and the difference is named."""
    report = audit("torch.optim:Adam", rule="adamw", profile="smoke", out=tmp_path, workers=2, quiet=True)
    found = [f for f in report.findings if any("implements@" in row for row in f.rows)]

    assert found and "adamw" in found[0].message


def test_same_seed_same_rows(tmp_path: Path) -> None:
    """One worker or two: the same rows, verdicts and observed values."""

    def rows(workers: int) -> list[tuple[Any, ...]]:
        out = tmp_path / str(workers)
        report = audit(f"{HERE}:SwallowsNaN", profile="smoke", seed=7, out=out, workers=workers, quiet=True)
        return sorted((r["id"], r["verdict"], r.get("observed"), r.get("cases")) for r in report.rows)

    assert rows(1) == rows(2)


def test_target_of_which_nothing_is_said_is_our_own_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where collecting went wrong, no row is there: the check itself broke, and the log is named."""
    monkeypatch.setattr("verifier.pytest_run.run", lambda *_: NOTHING_COLLECTED)

    report = audit(f"{HERE}:Right", profile="smoke", out=tmp_path, workers=1, quiet=True)

    assert 5 == report.exit_code
    assert f"there is no row of {HERE}:Right; see {tmp_path}" in report.last_line


def test_package_means_all_its_optimizers() -> None:
    """A package stands for its classes; what is left out is said, with the reason."""
    found = audit_targets.expand(("tests.broken",))

    assert f"{HERE}:Right" in found.audited
    assert "torch.optim:SGD" not in found.audited


def test_file_means_the_optimizers_written_in_it(tmp_path: Path) -> None:
    """A class that a file imports beside its own is said and left out; a file with none of its own has those."""
    mine, shown = tmp_path / "mine.py", tmp_path / "shown.py"
    mine.write_text("from torch.optim import SGD\n\n\nclass Mine(SGD):\n    def step(self): ...\n", encoding="utf-8")
    shown.write_text("from torch.optim import SGD\n", encoding="utf-8")

    found = audit_targets.expand((str(mine), str(shown)))

    assert (f"{mine}:Mine", f"{shown}:SGD") == found.audited
    assert {f"{mine}:SGD": "it is imported from torch.optim.sgd"} == found.left_out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit", "no.such.package"], "no module"),
        (["audit", "torch.optim:AdamW", "--rule", "adamww"], "adamw"),
        (["audit", "torch.optim:AdamW", "--profile", "smok"], "smoke"),
        (["audit", "torch.optim:AdamW", "--arg", "lr"], "NAME=VALUE"),
        (["audit", "adamw"], "did you mean 'torch.optim:AdamW'?"),
        (["audit", "my.py.Lion"], "did you mean 'my.py:Lion'?"),
        (["audit", "."], "nor a package as it is imported"),
        (["audit", "torch.optim:AdamW", "--workers", "0"], "a whole number above 0"),
        (["audit", "torch.optim:AdamW", "--memory", "-1"], "a number above 0"),
        (["audit", "torch.optim:AdamW", "--memory", "much"], "should be a number"),
        (["replay", "zzzzz"], "no recorded failure"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Bad input ends with exit code 2 and one line that says what would have been right."""
    code = run([*arguments, "--out", str(tmp_path)])
    printed = capsys.readouterr().err

    assert 2 == code
    assert said in printed and len(printed.strip().splitlines()) == 1


def test_malformed_replay_is_refused(tmp_path: Path) -> None:
    """A file that holds no failure is a usage error that names it."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"target": "torch.optim:SGD"}), encoding="utf-8")

    with pytest.raises(UsageError, match="no recorded failure"):
        replay.load(str(path), tmp_path)
