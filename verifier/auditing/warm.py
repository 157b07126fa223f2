"""A process that imports torch, sympy and pytest once; what an audit runs, it runs in forks of it.

Importing them costs three seconds of processor time, and every xdist worker needs them, and so does whoever replaces
one that crashed, reads the code of a target, or explains a finding. A fork has them in milliseconds and comes to harm
alone, as a process of its own would. Targets are imported in forks only.

One who asks connects to a socket, sends a line of JSON and three descriptors, which become the standard streams of
the fork, and reads its exit code when it ends. Who closes the connection earlier kills the fork and all it started.
What a target leaves behind is ended too, on Linux even what hid in a session of its own, and its temporary files go.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from verifier.auditing import known
from verifier.subjects import torch_dynamo
from verifier.subjects.torch_sandbox import end_with_parent, limit_memory

FIRST = (
    "torch",
    "sympy.tensor.tensor",  # the first sum that is built imports it
    "verifier.lift.lifted",
    "verifier.lift.matching",
    "verifier.lift.induction",
    "verifier.subjects.torch_probe",
    "verifier.subjects.torch_foreign",
    "verifier.subjects.torch_asleep",
    "verifier.subjects.torch_counting",
    "verifier.subjects.torch_lerps",
    "verifier.subjects.torch_widest",
    "verifier.auditing.claimed",
    "verifier.auditing.decay",
    "verifier.auditing.implementations",
    "verifier.auditing.probe",
    "verifier.auditing.variants",
    "verifier.auditing.whole",
)
"""What a fork needs that learns of a target, before the target may spoil how things are imported."""

IMPORTED = (
    *FIRST,
    "xdist.remote",
    "pytest_timeout",
    "verifier.plugin",
    "verifier.auditing.cases",
    "verifier.auditing.explain",
    "verifier.auditing.laws",
    "verifier.auditing.script",
    "verifier.check",
    "verifier.contracts",
    "verifier.strategies",
)
"""What every fork would import otherwise. The rest is imported while the first forks learn of the targets.

Not Hypothesis's plugin: until a session of pytest starts, it has every strategy describe itself, which doubles the
time that a fork takes which explains a finding, and starts none.
"""

POLL = 0.02  # seconds between looks for forks that ended
COLLECTED = (10_000, 20, 20)
"""How seldom forks look for garbage: Python's own habit costs a twentieth of an audit."""

LONGEST_PATH = 100  # bytes a socket's path may have, less than every system's limit


class Warm:
    """The warm process as its starter sees it. A context manager: leaving it ends the process and its forks.

    It runs `cores` calls at once, and each of the interpreters that xdist asks for may allocate `memory` bytes.
    """

    def __init__(self, environment: Mapping[str, str], log: BinaryIO, cores: int, memory: int) -> None:
        folder = tempfile.mkdtemp(prefix="verifier-")
        if len(os.fsencode(folder)) > LONGEST_PATH - 2:
            os.rmdir(folder)
            folder = tempfile.mkdtemp(prefix="verifier-", dir="/tmp")
        self.folder = Path(folder)
        self.path = self.folder / "s"
        self.environment = {
            "TMPDIR": str(self.folder / "tmp"),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.folder / "tmp"),
        }
        Path(self.environment["TMPDIR"]).mkdir()
        self.log = log
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self.path))
            listening.listen(128)
            words = [sys.executable, "-W", "ignore", "-m", "verifier.auditing.warm"]
            words += [str(listening.fileno()), str(cores), str(memory)]
            self.process = subprocess.Popen(
                words,
                env={**environment, known.FOLDER: folder, **self.environment},
                pass_fds=(listening.fileno(),),
                stdin=subprocess.PIPE,  # closed when we end, however we end: then it ends too
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def interpreter(self) -> str:
        """The words that xdist takes for a Python interpreter."""
        enter = Path(__file__).with_name("enter.py")
        return shlex.join([sys.executable, "-I", "-S", str(enter), str(self.path)])

    def start(self, run: str, *words: str) -> socket.socket:
        """Asks for a fork that calls module:function with `words`; what `ended` waits for."""
        asking = socket.socket(socket.AF_UNIX)
        asking.connect(str(self.path))
        nowhere = os.open(os.devnull, os.O_RDWR)
        try:
            line = json.dumps({"run": run, "words": words, "at_once": False}).encode() + b"\n"
            socket.send_fds(asking, [line], [nowhere, nowhere, self.log.fileno()])
        finally:
            os.close(nowhere)
        return asking

    @staticmethod
    def ended(asking: socket.socket, seconds: float | None = None) -> int | None:
        """The exit code of a fork; None where it does not end within `seconds`, and was killed."""
        with asking:
            asking.settimeout(seconds)
            try:
                return int(asking.recv(16) or b"1")
            except TimeoutError:
                return None
            except ConnectionResetError:  # the process it was to be forked from is gone, as where memory ran out
                return 1


def interpreter() -> None:
    """Does what `python -u -c 'import sys; exec(eval(sys.stdin.readline()))'` does: execnet's way into a process."""
    here = ModuleType("__main__")
    sys.modules["__main__"] = here
    exec(eval(sys.stdin.readline()), here.__dict__)


@dataclass(eq=False)
class _Asked:
    """One who asked for a fork."""

    connection: socket.socket
    run: str
    words: Sequence[str]
    at_once: bool  # it waits for nobody
    streams: Sequence[int]
    child: int = 0


@dataclass
class _Server:
    """The warm process itself; one thread, so that a fork of it is whole."""

    listening: socket.socket
    cores: int
    memory: int
    unread: list[str] = field(default_factory=list)  # modules that interpreters wait for
    waiting: list[_Asked] = field(default_factory=list)
    running: list[_Asked] = field(default_factory=list)

    def serve(self) -> None:
        """Until our starter ends."""
        while True:
            sources: list[Any] = [self.listening, 0, *(asked.connection for asked in (*self.waiting, *self.running))]
            seconds = 0 if self.unread else POLL if self.running else None
            ready = select.select(sources, [], [], seconds)[0]
            if 0 in ready:
                break
            self._reap()
            for asked in [a for a in (*self.waiting, *self.running) if a.connection in ready]:
                self._left(asked)
            if self.listening in ready:
                self._accept()
            self._fork()
            if self.unread:
                importlib.import_module(self.unread.pop(0))
                if not self.unread:
                    _settled()
                    self._fork()  # what waited for the last of them: nothing else may ever wake us
        for asked in self.running:
            _kill(asked.child)
        self._end_orphans(frozenset())

    def _accept(self) -> None:
        connection, _ = self.listening.accept()
        connection.settimeout(5)
        try:
            data, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
            while not data.endswith(b"\n"):
                data += connection.recv(1 << 16)
            told = json.loads(data)
        except (OSError, ValueError):  # it left, or never said what it wanted
            connection.close()
            return
        self.waiting.append(_Asked(connection, told["run"], told["words"], told["at_once"], streams))

    def _left(self, asked: _Asked) -> None:
        """Who asked is gone: nobody waits for the fork."""
        if asked.child:
            _kill(asked.child)
        else:
            self._forget(asked, self.waiting)

    def _forget(self, asked: _Asked, among: list[_Asked]) -> None:
        among.remove(asked)
        asked.connection.close()
        for number in asked.streams:
            os.close(number)

    def _fork(self) -> None:
        """Starts what may start: calls as many at once as there are cores, and interpreters, which wait for them."""
        for asked in list(self.waiting):
            full = sum(not a.at_once for a in self.running) >= self.cores
            if (asked.at_once and self.unread) or (not asked.at_once and full):
                continue
            asked.child = os.fork()
            if asked.child == 0:
                self._become(asked)
            self.waiting.remove(asked)
            self.running.append(asked)
            for number in asked.streams:
                os.close(number)
            asked.streams = ()

    def _end_orphans(self, ours: Set[int]) -> None:
        """Ends children that we did not start: forks of a fork that is gone. Theirs become ours when they end."""
        while orphans := _children() - ours:
            for orphan in orphans:
                _kill(orphan)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(orphan, 0)

    def _reap(self) -> None:
        self._end_orphans({asked.child for asked in self.running})
        for asked in list(self.running):
            child, status = os.waitpid(asked.child, os.WNOHANG)
            if not child:
                continue
            _kill(asked.child)  # what it left behind
            code = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(OSError):  # it left just now
                asked.connection.sendall(str(code if code >= 0 else 128 - code).encode())
            self._forget(asked, self.running)

    def _become(self, asked: _Asked) -> None:
        """The fork: runs what was asked, and never returns."""
        code = 1
        try:
            os.setsid()
            end_with_parent()
            gc.set_threshold(*COLLECTED)
            gc.enable()
            self.listening.close()
            for other in (*self.waiting, *self.running):
                other.connection.close()
            for number, stream in enumerate(asked.streams):
                os.dup2(stream, number)
            for number in {number for other in self.waiting for number in other.streams}:
                os.close(number)
            sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
            module, _, name = asked.run.partition(":")
            if name == "interpreter":
                limit_memory(self.memory)
                interpreter()
                code = 0
            else:
                code = int(getattr(importlib.import_module(module), name)(*asked.words) or 0)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # the fork ends here; the traceback goes to its stderr
            traceback.print_exc()
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:  # a target may have closed them; the fork must not go on as the server, and clear its folder away
                os._exit(code)


_PR_SET_CHILD_SUBREAPER = 36  # from <sys/prctl.h>


def _settled() -> None:
    """What was imported is garbage in no fork, and need not be looked at again."""
    gc.freeze()
    gc.enable()


def _adopt() -> None:
    """Makes us the parent of whatever our forks leave behind, as Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _children() -> Set[int]:
    """Our children, where the system tells them."""
    try:
        return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()))
    except OSError:
        return set()


def _kill(leader: int) -> None:
    """Ends a fork and its group."""
    for kill in (os.killpg, os.kill):
        try:
            kill(leader, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def main(arguments: Sequence[str]) -> None:
    """DESCRIPTOR CORES MEMORY: imports what forks need, and serves until standard input closes."""
    listening = socket.socket(fileno=int(arguments[0]))
    _adopt()
    gc.disable()  # imports leave little garbage, and looking for it takes a tenth of their time
    torch_dynamo.sleep()
    for name in FIRST:
        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    gc.freeze()
    folder = Path(listening.getsockname()).parent
    try:
        _Server(listening, int(arguments[1]), int(arguments[2]), list(IMPORTED[len(FIRST) :])).serve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # our starter may have been killed
    os._exit(0)  # taking apart all that was imported takes longer than the audit has to wait


if __name__ == "__main__":
    main(sys.argv[1:])
