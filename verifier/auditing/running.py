"""Scripts, run: each in an interpreter of its own, or in a fork of this process, which has imported torch already."""

from __future__ import annotations

import fcntl
import os
import runpy
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.lift.nested import Nested, without_audits

AUDITS = 70
"""The exit code of a script that was forked, where the target's own file asks for an audit."""


@dataclass(frozen=True)
class Ran:
    """How a script ended: its exit code, negative where it was killed, and what it printed."""

    code: int
    printed: str


def run(scripts: Sequence[Path], seconds: float, *, fresh: bool) -> list[Ran]:
    """Runs the scripts, as many at once as there are cores; one that takes longer than `seconds` is killed.

    `fresh`: in an interpreter of its own, as a person would, which costs it an import of torch.
    """
    width = max(1, os.cpu_count() or 1)
    found: list[Ran] = []
    for start in range(0, len(scripts), width):
        running = [_start(path, fresh) for path in scripts[start : start + width]]
        until = time.monotonic() + seconds
        found += [_ended(child, printed, until) for child, printed in running]
    return found


def _start(path: Path, fresh: bool) -> tuple[int, Path]:
    """(process, file of what it prints) of a script that was started, the leader of its group."""
    number, name = tempfile.mkstemp(prefix="script-")
    forked = os.fork()
    if forked == 0:
        _become(path, number, fresh)
    os.close(number)
    return forked, Path(name)


def _become(path: Path, printed: int, fresh: bool) -> None:
    """The fork: runs the script as the main program, and never returns."""
    code = 1
    try:
        os.setsid()
        nowhere, printed = (fcntl.fcntl(n, fcntl.F_DUPFD, 3) for n in (os.open(os.devnull, os.O_RDONLY), printed))
        for number, stream in ((0, nowhere), (1, printed), (2, printed)):  # which may have been any of these numbers
            os.dup2(stream, number)
        if fresh:
            environment = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
            os.execve(sys.executable, [sys.executable, str(path)], environment)
        before = sys.stdin, sys.stdout, sys.stderr  # collected, they would close the new streams' descriptors
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
        sys.argv = [str(path)]
        sys.path.insert(0, str(path.parent))
        with without_audits(str(path)):
            runpy.run_path(str(path), run_name="__main__")
        code = 0
        del before
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Nested:
        code = AUDITS
    except BaseException:  # foreign code: whatever it raises is printed, as Python does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(code) & 255)


def _ended(child: int, printed: Path, until: float) -> Ran:
    """Waits for a script, and takes away what it left."""
    status = 0
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done or time.monotonic() > until:
            break
        time.sleep(0.01)
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    if not done:
        status = os.waitpid(child, 0)[1]
    text = printed.read_text(encoding="utf-8", errors="replace")
    printed.unlink()
    return Ran(os.waitstatus_to_exitcode(status), text)
