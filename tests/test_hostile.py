"""Targets that misbehave get rows of their own, and change nothing for the others."""

from __future__ import annotations

import atexit
import ctypes
import faulthandler
import importlib
import inspect
import os
import pickle
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._dynamo  # the first optimizer that is built imports it: here, and not in each child

from tests.hostile import optimizers as hostile
from verifier.auditing import explain, replay, running, script, told
from verifier.auditing.audit import SECONDS_A_ROW, audit
from verifier.subjects.torch_sandbox import Died, in_child, limit_memory, memory_is_scarce
from verifier.subjects.torch_surroundings import snapshot

MEMORY = 4 << 30
RIGHT = "tests.broken.optimizers:Right"


def built(name: str, dtype: torch.dtype = torch.float32, grad: float = 1.0) -> tuple[Any, torch.nn.Parameter]:
    """A target, and its parameter with a gradient."""
    faulthandler.disable()  # pytest's would print an expected end as a crash of its own
    p = torch.nn.Parameter(torch.ones(2, dtype=dtype))
    optimizer = getattr(hostile, name)([p], lr=0.1)
    p.grad = torch.full((2,), grad, dtype=dtype)
    return optimizer, p


def stepped(name: str) -> Any:
    """One step of a target, in a child."""
    return in_child(lambda: built(name)[0].step() or "stepped", seconds=8, memory=MEMORY)


@pytest.mark.parametrize(
    ("name", "how"),
    {
        "Segfaults": "SIGSEGV",
        "Exits": "exit code 0",
        "Hangs": "does not return",
        "DiesWhenBuilt": "exit code 5",
    }.items(),
)
def test_misbehaves_when_run_alone(name: str, how: str) -> None:
    """A hostile target really does what it is here for."""
    found = stepped(name)

    assert isinstance(found, Died)
    assert how in found.how


@pytest.mark.parametrize(
    ("name", "how"),
    {
        "HangsAtNaN": "does not return",
        "StopsItself": "does not return",
        "HoldsTheLock": "does not return",
        "KillsLater": "exit code 9",
    }.items(),
)
def test_misbehaves_late_when_run_alone(name: str, how: str) -> None:
    """A step goes well where nothing is NaN, and ends or stops the process where a bfloat16 gradient is."""

    def late() -> None:
        built(name, torch.bfloat16, float("nan"))[0].step()
        time.sleep(3)

    assert "stepped" == stepped(name)
    found = in_child(late, seconds=8, memory=MEMORY)
    assert isinstance(found, Died)
    assert how in found.how


@pytest.mark.parametrize(
    ("name", "error"),
    {
        "SystemExits": "SystemExit",
        "FillsMemory": "RuntimeError",
        "RaisesOddly": "Unprintable",
        "RaisesBase": "KeyboardInterrupt",
        "Recurses": "RecursionError",
        "StopsIteration": "StopIteration",
        "ExitsGenerators": "GeneratorExit",
        "Nameless": "RuntimeError",
    }.items(),
)
def test_raises_when_run_alone(name: str, error: str) -> None:
    """A hostile target really raises what it is here for."""
    found = stepped(name)

    assert isinstance(found, tuple)
    assert error == found[0]


@pytest.mark.parametrize(
    ("name", "error"), {"ExitsAtStateDict": "SystemExit", "InterruptsAtStateDict": "KeyboardInterrupt"}.items()
)
def test_raises_when_saved_alone(name: str, error: str) -> None:
    """A step goes well, and saving raises what it is here for."""
    assert "stepped" == stepped(name)
    assert error == in_child(lambda: built(name)[0].state_dict(), seconds=8)[0]


@pytest.mark.parametrize("name", ["ChangesSettings", "Monkeypatches", "ChangesPython", "ChangesTorch", "ChangesOthers"])
def test_changes_the_process_when_run_alone(name: str) -> None:
    """A hostile target really changes its process: several things, and they are named."""

    def changes() -> list[str]:
        optimizer, _ = built(name)
        before = snapshot()
        optimizer.step()
        return before.changes()

    found = in_child(changes, seconds=30)

    assert isinstance(found, list)
    assert len(found) > 1


def test_changes_the_process_when_imported() -> None:
    """The import alone changes several things."""

    def changes() -> list[str]:
        before = snapshot()
        importlib.import_module("tests.hostile.importing")
        return before.changes()

    assert len(in_child(changes, seconds=30)) > 3


def test_hangs_when_a_worker_imports_it() -> None:
    """Alone, the import ends; where a worker of pytest does it, it does not."""

    def imported(in_worker: bool) -> str:
        os.environ.pop("PYTEST_XDIST_WORKER", None)
        os.environ.update({"PYTEST_XDIST_WORKER": "gw0"} if in_worker else {})
        return importlib.import_module("tests.hostile.again").__name__

    assert "tests.hostile.again" == in_child(lambda: imported(False), seconds=30)
    assert "does not return" in in_child(lambda: imported(True), seconds=3).how


def test_kills_its_parent_when_run_alone() -> None:
    """The process that started the step is gone after it, and the step's own goes with it."""

    def killed() -> int:
        parent = os.fork()
        if parent == 0:
            stepped("KillsItsParent")
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(parent, 0)[1])

    assert -signal.SIGKILL == in_child(killed, seconds=30)


def forks(optimizer: Any, _: Any) -> bool:
    mine = os.getpid()
    optimizer.step()
    return os.getpid() == mine and os.wait()[0] > 0


def forks_when_saved(optimizer: Any, _: Any) -> bool:
    mine = os.getpid()
    optimizer.state_dict()
    return os.getpid() == mine and os.wait()[0] > 0


def floods(optimizer: Any, _: Any) -> bool:
    reading, writing = os.pipe()
    os.dup2(writing, 1)
    if os.fork() == 0:
        optimizer.step()
        os._exit(0)
    os.close(writing)
    os.close(1)
    return len(os.read(reading, 1 << 16)) > 1000


def cannot_be_pickled(optimizer: Any, _: Any) -> bool:
    try:
        pickle.dumps(optimizer)
    except (AttributeError, pickle.PicklingError):
        return True
    return False


def cannot_say_why(optimizer: Any, _: Any) -> bool:
    try:
        optimizer.load_state_dict({})
    except hostile.Unprintable as error:
        try:
            str(error)
        except RuntimeError:
            return True
    return False


def closes_streams(optimizer: Any, _: Any) -> bool:
    optimizer.step()
    return not os.path.exists("/proc/self/fd/1")


def says_no_text(_: Any, __: Any) -> bool:
    optimizer, _ = built("SaysNoText", torch.bfloat16, float("nan"))
    try:
        optimizer.step()
    except OSError as error:
        return not str(error).isprintable()
    return False


def has_no_signature(_: Any, __: Any) -> bool:
    try:
        inspect.signature(hostile.HasNoSignature)
    except TypeError:
        return True
    return False


def ends_late(optimizer: Any, _: Any) -> bool:
    before = atexit._ncallbacks()
    type(optimizer)([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    return atexit._ncallbacks() == before + 1


def raises_in_del(optimizer: Any, _: Any) -> bool:
    try:
        optimizer.__del__()
    except SystemExit:
        return True
    return False


def leaves_a_daemon(_: Any, __: Any) -> bool:
    optimizer, _ = built("LeavesADaemon", torch.bfloat16, float("nan"))
    session = os.getsid(0)
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: its grandchild becomes ours
    optimizer.step()
    os.wait()
    time.sleep(0.5)
    left = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    hidden = [int(one) for one in left if os.getsid(int(one)) != session]
    for one in hidden:
        os.kill(one, signal.SIGKILL)
    return len(hidden) == 1


def hoards(optimizer: Any, _: Any) -> bool:
    before = int(Path("/proc/self/statm").read_text().split()[5])
    for _ in range(400):  # of what earlier tests gave back, some is taken again
        optimizer.step()
    return int(Path("/proc/self/statm").read_text().split()[5]) - before > 10_000


def lowers_limits(_: Any, __: Any) -> bool:
    optimizer, _ = built("LowersLimits", torch.bfloat16, float("nan"))
    optimizer.step()
    try:
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]
    except OSError:
        return True
    return not opened


def has_no_streams(optimizer: Any, _: Any) -> bool:
    optimizer.step()
    return sys.stdout is None and sys.__stderr__ is None


def dies_when_loaded(optimizer: Any, _: Any) -> bool:
    found = in_child(lambda: optimizer.load_state_dict({}), seconds=8)
    return isinstance(found, Died) and found.how.endswith("SIGSEGV")


OTHERWISE: dict[str, Callable[[Any, Any], bool]] = {
    "Forks": forks,
    "ForksAtStateDict": forks_when_saved,
    "Floods": floods,
    "CannotBePickled": cannot_be_pickled,
    "CannotSayWhy": cannot_say_why,
    "ClosesStreams": closes_streams,
    "SaysNoText": says_no_text,
    "HasNoSignature": has_no_signature,
    "EndsAtExit": ends_late,
    "RaisesInDel": raises_in_del,
    "LeavesADaemon": leaves_a_daemon,
    "Hoards": hoards,
    "DiesWhenLoaded": dies_when_loaded,
    "LowersLimits": lowers_limits,
    "HasNoStreams": has_no_streams,
}
"""Targets, and whether they do what they are here for."""


@pytest.mark.parametrize("name", OTHERWISE)
def test_misbehaves_otherwise_when_run_alone(name: str) -> None:
    """A hostile target really does what it is here for, where that neither ends its process nor raises."""
    assert in_child(lambda: OTHERWISE[name](*built(name)), seconds=30) is True


def test_memory_is_scarce_once_half_of_it_is_taken() -> None:
    """A worker that may take three times what it has goes on; one that has taken most of it does not."""
    taken = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()

    def scarce(size: int) -> bool:
        limit_memory(size)
        return memory_is_scarce()

    assert in_child(lambda: scarce(3 * taken)) is False
    assert in_child(lambda: scarce(taken + taken // 2)) is True


def rows_of(*targets: str, out: Path) -> list[dict[str, Any]]:
    """The evidence of one audit of the targets."""
    report = audit(*targets, profile="smoke", out=out, workers=2, quiet=True)
    return [dict(row) for row in report.rows]


def content(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a row says, without how long it took."""
    return tuple(row.get(name) for name in ("id", "verdict", "strength", "reason", "cases", "elements", "margin"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """What the well-behaved optimizer's rows are without any neighbour."""
    return sorted(map(content, rows_of(RIGHT, out=tmp_path_factory.mktemp("alone"))))


TOGETHER = {
    "ending": ["Segfaults", "Exits", "DiesWhenBuilt", "DiesLater", "KillsLater", "Hangs", "StopsItself", "HoldsTheLock",
               "HangsAtNaN", "DiesWhenLoaded", "LowersLimits"],
    "raising": ["SystemExits", "FillsMemory", "RaisesOddly", "RaisesBase", "Recurses", "StopsIteration",
                "ExitsGenerators", "ExitsAtStateDict", "InterruptsAtStateDict", "CannotSayWhy", "Nameless",
                "SaysNoText", "HasNoSignature"],
    "changing": ["ChangesSettings", "Monkeypatches", "ChangesPython", "ChangesTorch", "ClosesStreams",
                 "ChangesOthers", "ChangesWhenImported", "HasNoStreams"],
    "spreading": ["Forks", "ForksAtStateDict", "Floods", "CannotBePickled", "RaisesInDel", "EndsAtExit",
                  "LeavesADaemon", "Hoards"],
    "importing": ["HangsWhenImportedAgain", "KillsItsParent"],
}  # fmt: skip
"""Targets that are audited in one go, with the well-behaved one among them."""

HARMLESS = {
    "CannotBePickled",
    "RaisesInDel",
    "EndsAtExit",
    "Forks",
    "ForksAtStateDict",
    "Floods",
    "ClosesStreams",
    "KillsLater",
    "ChangesWhenImported",
    "LeavesADaemon",
    "Hoards",
    "LowersLimits",
}
"""What these do breaks no promise that could be told from outside: it only must harm nobody."""


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", TOGETHER)
def test_hostile_targets_get_their_rows_and_harm_no_other(
    kind: str, alone: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a row that says so; every row of another target is what it is alone, and there once."""
    monkeypatch.setitem(SECONDS_A_ROW, "smoke", 30)
    names = TOGETHER[kind]

    places = {"ChangesWhenImported": "importing", "HangsWhenImportedAgain": "again"}
    targets = [f"tests.hostile.{places.get(name, 'optimizers')}:{name}" for name in names]
    rows = rows_of(*targets, RIGHT, out=tmp_path)

    said = {name: {r["verdict"] for r in rows if r["target"].endswith(f":{name}")} for name in names}
    assert alone == sorted(content(row) for row in rows if row["target"] == RIGHT)
    assert [] == [row["id"] for row in rows if row["verdict"] == "broken"]
    assert [] == [id_ for id_, count in Counter(row["id"] for row in rows).items() if count > 1]
    assert [] == [name for name in names if not said[name] & {"violated", "untestable"} and name not in HARMLESS]
    assert [] == [name for name in names if not said[name]]


def test_row_that_does_not_end_is_no_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row whose time is over says so and is untestable: a busy machine is slow too. All others hold."""
    monkeypatch.setitem(SECONDS_A_ROW, "smoke", 20)
    target = "tests.hostile.optimizers:HangsAtNaN"

    done = audit(target, profile="smoke", out=tmp_path, workers=2, quiet=True)

    hanging = [row for row in done.rows if row["law"].endswith(".nan_stays") and "bfloat16" in row["subject"]]
    assert {("untestable", "did not end within 20 s", target)} == {
        (row["verdict"], row["reason"], row["target"]) for row in hanging
    }
    others = [row for row in done.rows if row not in hanging and row["reason"] != "did not end within 20 s"]
    assert {"held", "inconclusive"} >= {row["verdict"] for row in others}
    assert len(others) > 100
    assert () == done.findings


def test_target_that_ends_its_process_has_a_script_and_a_replay(tmp_path: Path) -> None:
    """Rows that end their process are one finding: how it ends, on which case, as a script in which a child ends."""
    faulthandler.disable()  # it would print an expected end as a crash of its own
    target = "tests.hostile.optimizers:DiesWhenLoaded"

    done = audit(target, profile="smoke", out=tmp_path, workers=2, quiet=True)

    (found,) = done.findings
    text = Path(found.repro).read_text()
    right = tmp_path / "right.py"
    right.write_text(text.replace("DiesWhenLoaded", "Right").replace("tests.hostile", "tests.broken"))
    assert "using it ends its process" == told.title(found)
    assert "it ends the process by SIGSEGV" == found.seen["observed"]
    assert [1, 0] == [ran.code for ran in running.run([Path(found.repro), right], 60, fresh=True)]
    assert len(text.splitlines()) <= script.LIMIT
    assert ("FAILED", "it ends the process by SIGSEGV") == replay.replay(
        replay.load(found.replay, tmp_path / "replays")
    )
    assert {"the process ended while it was running this"} == {r["message"] for r in done.rows if r.get("crashed")}


@pytest.mark.parametrize(
    ("name", "how"),
    {
        "Segfaults": "it ends the process by SIGSEGV",
        "DiesWhenBuilt": "it ends the process with exit code 5",
        "SystemExits": "it raises SystemExit: 0",
        "ExitsAtStateDict": "it raises SystemExit: 3",
        "KillsLater": "it ends the process with exit code 9",
    }.items(),
)
def test_script_of_a_target_that_cannot_be_tried_shows_how_it_ends(name: str, how: str, tmp_path: Path) -> None:
    """Of the scripts that use it in one way after the other the first that ends so is kept; none ends the right one."""
    right = script.first_step(RIGHT, how, {})[0]
    texts = script.first_step(f"tests.hostile.optimizers:{name}", how, {})
    known = {"name": name, "message": "", "ended": how}

    (shown,) = explain.shown([{**known, "texts": texts}], tmp_path, fresh=False)
    (of_right,) = explain.shown([{**known, "texts": [right]}], tmp_path / "right", fresh=False)

    assert {"no_script": f"{explain.NOT_SHOWN} (it exits 0)"} == of_right
    if name == "KillsLater":  # half a second after a NaN that nobody waits for
        assert "no_script" in shown
    else:
        assert {"repro": str(tmp_path / f"{name}.py")} == shown


def test_child_is_made_without_streams() -> None:
    """Where a target took the streams away, children are made all the same: nothing is there to be flushed."""

    def nested() -> Any:
        sys.stdout = sys.stderr = None  # type: ignore[assignment]
        return in_child(lambda: "made")

    assert "made" == in_child(nested, seconds=30)
