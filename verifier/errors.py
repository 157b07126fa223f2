"""What a person did that cannot work, said in one line: what, where, what would be accepted, the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(Exception):
    """Bad input from the person at the keyboard; the command line turns it into exit code 2.

    `accepted` lists what would have been accepted; the nearest of them is offered as a correction.
    """

    def __init__(self, what: str, *, where: str = "", given: str = "", accepted: Iterable[str] = ()) -> None:
        self.what = what
        self.where = where
        self.given = given
        self.accepted = tuple(accepted)
        self.nearest = nearest(given, self.accepted)
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.nearest:
            parts.append(f"did you mean {self.nearest!r}?")
        if self.accepted:
            parts.append(f"accepted: {', '.join(self.accepted)}")
        return "; ".join(parts)


def nearest(given: str, accepted: Iterable[str]) -> str | None:
    """The accepted name most like `given`, or None where nothing comes near."""
    names = list(accepted)
    folded = {name.lower(): name for name in names}
    found = difflib.get_close_matches(given.lower(), list(folded), n=1, cutoff=0.5) if given else []
    return folded[found[0]] if found else None
