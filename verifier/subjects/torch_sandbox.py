"""Foreign code in a forked child first: what ends the child, hangs it or fills its memory is learnt without harm."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SECONDS = 60.0
"""How long a child may take."""


LONGEST = 4000
"""Characters of what an exception says that are told: there may be any number."""


@dataclass(frozen=True)
class Died:
    """A child that ended without an answer, and how; `late`: it was ended, since its time was over."""

    how: str
    late: bool = False


def limit_memory(size: int) -> None:
    """Lets this process and its children allocate `size` bytes; asking for more raises instead of filling memory."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (size if hard < 0 else min(size, hard), hard))


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: between fork and exec it is too late
_PR_SET_PDEATHSIG = 1  # from <sys/prctl.h>


def end_with_parent(how: int = signal.SIGKILL) -> None:
    """Asks Linux to send this process a signal once the one that started it has ended; elsewhere does nothing."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, how)


def memory_is_scarce() -> bool:
    """Whether this process has taken more than half of what it may; never where no system tells, or none is set."""
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            taken = int(file.read().split()[5]) * resource.getpagesize()  # data and stack
    except OSError:
        return False
    return 0 <= limit < 2 * taken


def half_of_memory() -> int:
    """Half of the machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


class Child:
    """Work in a forked child, begun at once. A context manager: leaving it ends the child, and what that started."""

    def __init__(self, work: Callable[[], Any], seconds: float = SECONDS, memory: int | None = None) -> None:
        """Forks; the child may take `seconds` of wall time and allocate `memory` bytes. Its output goes nowhere."""
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._read, write = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):  # foreign code may have taken it away
                stream.flush()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._read)
            _work(work, write, memory)
        os.close(write)
        self._status: int | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended()

    def answer(self) -> Any:
        """Waits for what the work returns, or `Died`. An exception is returned as the pair (type name, text)."""
        try:
            data, ended = _collect(self._read, self._until)
        finally:
            status = self._ended()
        if not ended:
            return Died(f"does not return within {self._seconds:g} seconds", late=True)
        if data:
            try:
                return pickle.loads(data)
            except (pickle.UnpicklingError, EOFError):
                return Died("writes over the answer of its process")
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            return Died(f"ends the process by {signal.Signals(number).name}")
        return Died(f"ends the process with exit code {os.WEXITSTATUS(status)}")

    def _ended(self) -> int:
        """How the child ended, which it has now."""
        if self._status is None:
            os.close(self._read)
            _end(self._child)
            self._status = os.waitpid(self._child, 0)[1]
        return self._status


def in_child(work: Callable[[], Any], seconds: float = SECONDS, memory: int | None = None) -> Any:
    """What `work` returns in a forked child; see `Child.answer`."""
    with Child(work, seconds, memory) as child:
        return child.answer()


def _work(work: Callable[[], Any], write: int, memory: int | None) -> None:
    """The child: never returns."""
    os.setpgid(0, 0)
    end_with_parent()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    mine = os.getpid()
    if memory is not None:
        limit_memory(memory)
    try:
        found = work()
    except BaseException as error:  # foreign code may raise anything; it is reported to the parent
        found = (type(error).__name__, _text(error))
    if os.getpid() == mine:  # a fork of the child, made by the foreign code, has nothing to say
        data = pickle.dumps(found)
        sent = 0
        while sent < len(data):
            sent += os.write(write, data[sent:])
    os._exit(0)


def _text(error: BaseException) -> str:
    try:
        return str(error)[:LONGEST]
    except BaseException:  # its __str__ is foreign code too
        return "an exception that cannot be printed"


def _collect(read: int, until: float) -> tuple[bytes, bool]:
    """Everything the child wrote, and whether it closed its end in time."""
    parts: list[bytes] = []
    while (left := until - time.monotonic()) > 0:
        if not select.select([read], [], [], left)[0]:
            break
        part = os.read(read, 1 << 20)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        if len(part) < 1 << 16:  # the answer is whole once it can be read; grandchildren may hold the pipe open
            try:
                pickle.loads(b"".join(parts))
                return b"".join(parts), True
            except (pickle.UnpicklingError, EOFError):
                continue
    return b"".join(parts), False


def _end(child: int) -> None:
    """Ends the child and whatever it started."""
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
