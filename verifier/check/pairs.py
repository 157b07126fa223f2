"""What a violation of a law about two runs remembers of them: enough to run both again elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from verifier.case import Case
from verifier.record import Pair, Violation


@contextmanager
def compared(
    observed: Case, expected: Case, *, here: Iterable[int] = (), there: Iterable[int] = (), unlike: bool = False
) -> Iterator[None]:
    """A violation inside is one of two runs: of `observed`, which should end as that of `expected` does.

    `here` and `there` are the elements of the one and the other that correspond; none: all of them, in order.
    `unlike`: it is one of two runs that should not end alike.
    """
    try:
        yield
    except Violation as found:
        if found.pair is None:
            found.pair = Pair(observed, expected, tuple(int(k) for k in here), tuple(int(k) for k in there), unlike)
        raise
