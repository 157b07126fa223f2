"""Rows, and imports, that do not end in time, or end their process.

What does not end in time is said to be just that, and not taken for a crash, as a busy machine is slow too. A row that
ends its process is asked once more, in another one: a thread, or memory, that another row spoilt may have ended it.
A worker whose memory rows have filled ends itself before the next one, which is asked in another worker too.
A target whose import ended a worker, or held it up, is imported by no worker after it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from pluggy import HookimplMarker

from verifier.subjects.torch_sandbox import memory_is_scarce

hookimpl = HookimplMarker("pytest")  # pytest.hookimpl, for those who have no pytest yet and only ask for marks


IMPORTING = 60.0
"""Seconds a worker may take to import a target, which another process has imported before it."""

GRACE = 15.0
"""Seconds after which a worker is ended that did not end itself: it may hold the interpreter's lock, or be stopped."""


class Overdue:
    """The plugin of a worker that leaves a mark of the row whose time is over, before its process is ended.

    In the controller, it has rows that ended their process asked again, once.
    """

    def __init__(self, config: Any) -> None:
        self.evidence = Path(config.option.verifier_evidence)
        self.in_worker = hasattr(config, "workerinput")
        self.marks = marks(self.evidence)
        self.running = running(self.evidence) / str(os.getpid())
        self.current = ""  # the row that this worker runs
        self.asked: set[str] = set()
        self.settled: set[str] = set()

    @hookimpl
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Remembers which rows are settled."""
        if any(name == "verifier" for name, _ in report.user_properties):
            self.settled.add(report.nodeid)

    @hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any, sched: Any) -> None:
        """Puts a row back that ended its process for the first time, and was not overdue; not one that is settled."""
        if crashitem in self.settled:
            report.when = "again"
            return
        if crashitem in self.asked or of(self.evidence, crashitem):
            return
        self.asked.add(crashitem)
        report.when = "again"  # not the mark of a worker that died, of which a row is made
        sched.mark_test_pending(crashitem)

    @hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Leaves every row at least half of the memory that a target may take."""
        if self.in_worker and memory_is_scarce():
            os._exit(1)

    @hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """A row that is out of memory outside of the target's code ends its worker: what it says is worth nothing."""
        try:
            return (yield)
        except MemoryError:
            if self.in_worker:
                os._exit(1)
            raise

    @hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any, excinfo: Any) -> None:
        """So does pytest itself. Any other error ends it too, and the row, which says what it was, as the log does.

        A worker that ended in good order in the middle of a row would end the whole run.
        """
        if not self.in_worker:
            return
        if not isinstance(excinfo.value, MemoryError):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # a target may have spoilt the streams
                print(excrepr, file=sys.stderr, flush=True)
            with contextlib.suppress(OSError):
                _mark(self.marks, type(excinfo.value).__name__, self.current)
        os._exit(1)

    @hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: Any, settings: Any) -> bool | None:
        """A timer as pytest-timeout's own, which it stands for."""
        if settings.method != "thread":
            return None
        import pytest_timeout  # type: ignore[import-untyped]

        def over() -> None:
            _mark(self.marks, f"{settings.timeout:g}", item.nodeid)
            pytest_timeout.timeout_timer(item, settings)

        timer = threading.Timer(settings.timeout, over)

        def cancel() -> None:
            timer.cancel()
            timer.join()
            self.running.unlink(missing_ok=True)

        self.current = item.nodeid
        _say(self.running, settings.timeout, item.nodeid)
        item.cancel_timeout = cancel
        timer.start()
        return True


@contextlib.contextmanager
def importing(evidence: Path | None, target: str) -> Iterator[None]:
    """Lets a worker import a target no longer than `IMPORTING`, or its controller ends it; `spoilt` tells the next."""
    said = running(evidence) / str(os.getpid()) if evidence is not None else None
    if said is not None:
        _say(said, IMPORTING, _import_of(target))
    yield
    if said is not None:  # left where it is by what did not return
        said.unlink(missing_ok=True)


def spoilt(evidence: Path | None, target: str) -> str:
    """How the import of a target ended, or held up, a worker before this one; empty where it did not."""
    if evidence is None:
        return ""
    if late := of(evidence, _import_of(target)):
        return f"importing it once more {late['reason']}"
    for path in running(evidence).glob("*"):
        with contextlib.suppress(OSError):  # it ended just now
            if path.read_text(encoding="utf-8").endswith(f" {_import_of(target)}") and not _alive(int(path.name)):
                return "importing it once more ended the process"
    return ""


def _import_of(target: str) -> str:
    return f"import of {target}"


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _say(path: Path, seconds: float, what: str) -> None:
    """Writes down what this worker begins, and how long it may take, where somebody looks."""
    if path.parent.is_dir():
        path.write_text(f"{time.time()} {seconds:g} {what}", encoding="utf-8")


def look(evidence: Path) -> None:
    """Ends the workers whose row is long overdue, and marks it: some rows let no timer of their own process act."""
    for path in running(evidence).glob("*"):
        with contextlib.suppress(OSError, ValueError):  # it ended just now, or is being written
            started, seconds, nodeid = path.read_text(encoding="utf-8").split(" ", 2)
            if time.time() - float(started) > float(seconds) + GRACE and _alive(int(path.name)):
                path.unlink()
                _mark(marks(evidence), f"{float(seconds):g}", nodeid)
                os.killpg(int(path.name), signal.SIGKILL)


def _mark(path: Path, why: str, nodeid: str) -> None:
    """Leaves a mark of a row: how many seconds it had, or which error broke its process."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{why} {nodeid}\n")


def running(evidence: Path) -> Path:
    """The folder beside the evidence in which each worker says which row it runs, and since when."""
    return evidence.with_suffix(".running")


def marks(evidence: Path) -> Path:
    """The file beside the evidence that marks are left in."""
    return evidence.with_suffix(".overdue")


def of(evidence: Path | None, nodeid: str) -> dict[str, Any]:
    """What a row says that was ended since its time was over, or that broke its process; nothing of any other."""
    path = marks(evidence) if evidence is not None else None
    lines = path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []
    for line in lines:
        why, _, name = line.partition(" ")
        if name == nodeid:
            broke = f"pytest itself raised {why} in the process that it was run in"
            reason = f"did not end within {why} s" if why.replace(".", "").isdigit() else broke
            return {"verdict": "untestable", "reason": reason, "message": "", "expected_failure": None}
    return {}
