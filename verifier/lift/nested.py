"""A script that audits its own class is imported in order to be audited: its own audit is where the import ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

CURE = "its file audits when it is imported; put that below `if __name__ == '__main__':`"
"""Why a script that imports the target would show nothing."""


class Nested(BaseException):
    """An audit that the import of a target asked for; what catches exceptions there lets it pass."""


_PLACES: list[str] = []


@contextlib.contextmanager
def importing(place: str) -> Iterator[None]:
    """Ends the import of a target at the audit that it asks for, if it does: what stands above is defined by then."""
    _PLACES.append(place)
    try:
        with contextlib.suppress(Nested):
            yield
    finally:
        _PLACES.pop()


@contextlib.contextmanager
def without_audits(place: str) -> Iterator[None]:
    """Raises `Nested` out of any audit that is asked for within it."""
    _PLACES.append(place)
    try:
        yield
    finally:
        _PLACES.pop()


def end_import() -> None:
    """Ends the import of a target that goes on in this process; nothing where there is none."""
    if _PLACES:
        raise Nested(CURE)
