"""What goes wrong in a life."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Strayed(AssertionError):
    """A parameter that does not move as it should: which, where, by what it was judged, and what it should be.

    `by`: "rule" or "alone". `allowed`: of a rule, the ends of its enclosure. `life`: the machine it happened in.
    """

    def __init__(self, by: str, parameter: int, step: int, element: int, observed: float, expected: Sequence[float],
                 rule: str = "") -> None:  # fmt: skip
        self.by, self.parameter, self.step, self.element, self.rule = by, parameter, step, element, rule
        self.observed, self.allowed = observed, tuple(expected)
        self.life: Any = None
        low, high = self.allowed[0], self.allowed[-1]
        self.expected = repr(low) if low == high else f"in [{low!r}, {high!r}]"
        super().__init__(f"{self.what} at step {step}: observed {observed!r}, but should be {self.expected}")

    @property
    def what(self) -> str:
        """What went wrong, in words."""
        how = f"leaves the rule {self.rule}" if self.by == "rule" else "moves otherwise than it would alone"
        return f"in a life of several events parameter {self.parameter} {how}"
