"""How long reading a rule out of a class, and proving things of it, may take."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

READING = 20.0  # seconds of a core; most classes take two


class TooLong(BaseException):
    """Reading took too long; nothing that catches what foreign code raises may catch it."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raises TooLong in the main thread once its block has taken this process READING seconds of a core."""

    def late(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, READING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


__all__ = ["READING", "TooLong", "limited"]
