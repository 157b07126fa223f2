"""What a target does to the process of its tests while it is imported or run, kept from the tests after it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Lets what is written to the standard streams go nowhere: pytest would keep it in memory, and it may be much.

    A target may close any of the three: all are opened again, or the next file that is opened would get its number.
    """
    kept = [(number, os.dup(number)) for number in (0, 1, 2)]
    streams = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        for number in (1, 2):
            os.dup2(nowhere.fileno(), number)
        sys.stdout = sys.stderr = nowhere
        try:
            yield
        finally:
            sys.stdout, sys.stderr = streams
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)


@contextlib.contextmanager
def as_if_not_imported() -> Iterator[None]:
    """Puts settings back that the import of a target changed; its patches, and the environment, it may need."""
    from verifier.subjects.torch_surroundings import snapshot

    before = snapshot()
    try:
        yield
    finally:
        before.restore_settings()
