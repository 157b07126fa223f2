"""How long reading a rule out of a class, and proving things of it, may take."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

READING = 20.0  # seconds of a core; most classes take two
AGAIN = 0.5  # after which it is raised once more: Python drops what is raised where an object is finalised


class TooLong(BaseException):
    """Reading took too long; nothing that catches what foreign code raises may catch it."""


@contextlib.contextmanager
def limited(seconds: float = READING) -> Iterator[None]:
    """Raises TooLong in the main thread once its block has taken this process that many seconds of a core.

    Inside another such block, what is left of the other's time goes on counting.
    """

    def late(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, late)
    left, _ = signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    started = time.process_time()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        spent = time.process_time() - started
        signal.setitimer(signal.ITIMER_PROF, max(left - spent, 0.001) if left else 0, AGAIN)
        signal.signal(signal.SIGPROF, before)


__all__ = ["READING", "TooLong", "limited"]
