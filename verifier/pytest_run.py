"""Runs a folder of properties under pytest, in a process of its own, and reports how far it has come."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.subjects.torch_sandbox import end_with_parent

PLUGINS = ("xdist", "pytest_timeout", "_hypothesis_pytestplugin", "verifier.plugin")
"""Loaded by name, and nothing else: what happens to be installed beside us changes no result."""

POLL = 0.2  # seconds
GRACE = 15.0  # seconds an interrupted pytest may take to end its workers
SECONDS_A_TEST = {"smoke": 60, "ci": 300, "nightly": 7200}
"""After this a property counts as hanging; far above what the slowest takes."""

TESTS_FAILED = 1  # pytest's exit code: it ran to its end, and some property failed
NOTHING_COLLECTED = 5  # pytest's exit code: all there was had been measured before


@dataclass(frozen=True)
class PytestRun:
    """What to run and where its evidence goes."""

    properties: Path
    evidence: Path
    log: Path
    device: str
    profile: str
    seed: int
    workers: int
    expected: Path
    complete: bool = False  # every law and subject is run, so that a listed failure that matches none is stale
    resume: bool = False
    subjects: str = "real"

    @property
    def command(self) -> list[str]:
        """The command line, runnable by hand from anywhere."""
        words = [sys.executable, "-m", "pytest", str(self.properties)]
        words += ["-c", os.devnull, "--rootdir", str(self.properties.parent)]
        for plugin in PLUGINS:
            words += ["-p", plugin]
        words += ["-p", "no:cacheprovider", "-o", "empty_parameter_set_mark=fail_at_collect", "-q"]
        words += ["-n", str(self.workers), "--dist", "worksteal", "--timeout", str(SECONDS_A_TEST[self.profile])]
        words += [f"--hypothesis-seed={self.seed}", "--verifier-evidence", str(self.evidence)]
        words += ["--verifier-device", self.device, "--verifier-profile", self.profile]
        words += ["--verifier-expected", str(self.expected), "--verifier-subjects", self.subjects]
        words += ["--verifier-complete"] if self.complete else []
        return [*words, "--verifier-resume"] if self.resume else words

    @property
    def environment(self) -> dict[str, str]:
        """Ours, with the plugins named above alone, and one thread a worker: the workers fill the cores."""
        inherited = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
        fixed = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONHASHSEED": "0"}
        return inherited | fixed | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


@dataclass
class Seen:
    """What has been read of an evidence file so far, apart from what an earlier run left or no device could run."""

    planned: int = 0
    done: int = 0
    violated: int = 0
    broken: int = 0

    @property
    def note(self) -> str:
        """The counts worth a word while the run goes on."""
        parts = [f"{n} {word}" for n, word in ((self.violated, "violated"), (self.broken, "broken")) if n]
        return ", ".join(parts)


class Tail:
    """Reads the lines that are appended to an evidence file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = path.stat().st_size if path.exists() else 0
        self.seen = Seen()

    def read(self) -> Seen:
        """Takes in the complete lines written since the last call; the counts so far."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            self._take(json.loads(line))
        return self.seen

    def _take(self, record: dict[str, object]) -> None:
        if record.get("kind") == "planned":
            self.seen.planned += int(str(record["planned"])) - int(str(record.get("resumed", 0)))
        elif record.get("verdict") == "untestable":  # written in one go: it says nothing of the pace
            self.seen.planned -= 1
        elif record.get("kind") == "evidence":
            self.seen.done += 1
            self.seen.violated += record.get("verdict") == "violated" and not record.get("expected_failure")
            self.seen.broken += record.get("verdict") == "broken"


def run(task: PytestRun, progress: Callable[[Seen], None]) -> int:
    """Runs `task` to its end; pytest's exit code. KeyboardInterrupt is passed on to pytest, then raised again.

    pytest gets a process group of its own, so that Ctrl-C on a terminal reaches it once, through us.
    """
    tail = Tail(task.evidence)
    with task.log.open("ab") as log:
        child = subprocess.Popen(
            task.command,
            env=task.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_ORPHANED if sys.platform == "linux" else None,
        )
        try:
            while not _ended(child):
                progress(tail.read())
        finally:
            if child.poll() is None:  # interrupted, or `progress` has seen that it need not go on
                _stop(child)
    progress(tail.read())
    return child.returncode


def _ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether it ends within POLL seconds."""
    try:
        child.wait(POLL)
    except subprocess.TimeoutExpired:
        return False
    return True


_ORPHANED = functools.partial(end_with_parent, signal.SIGTERM)
"""Ends pytest where this process was killed: it would go on writing evidence."""


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Interrupts pytest and waits; the whole group is killed when that takes too long, or at a second Ctrl-C."""
    child.send_signal(signal.SIGINT)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(GRACE)
    finally:
        with contextlib.suppress(ProcessLookupError):  # everyone has left already
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def last_lines(log: Path, count: int = 15) -> Sequence[str]:
    """The end of pytest's output, for when pytest itself went wrong."""
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:] if log.exists() else []
