"""Between which numbers an expression lies, from what is known of the symbols in it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from verifier.lift.nodes import Node, number


class Range(NamedTuple):
    """The reals an expression ranges over; None where unbounded, `*_open` where the end itself is left out."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = False
    high_open: bool = False

    @property
    def positive(self) -> bool:
        return self.low is not None and (self.low > 0 or (self.low == 0 and self.low_open))

    @property
    def nonnegative(self) -> bool:
        return self.low is not None and self.low >= 0


ranges: dict[Node, Range] = {}
"""What is known while a lift runs: the constructor's checks of hyperparameters, the branches taken. Else empty."""

_ZERO = Fraction(0)
_DEPTH = 12


def range_of(node: Node, depth: int = _DEPTH) -> Range | None:
    """A range that certainly holds the node's value; None where nothing is known."""
    value = number(node)
    if value is not None:
        return Range(value, value)
    known = ranges.get(node)
    if known is not None or depth == 0 or node.op in ("sym", "opaque"):
        return known
    if node.op in ("sqrt", "abs"):
        return Range(_ZERO)
    if node.op not in _RULES:
        return None
    a, b = (range_of(x, depth - 1) for x in node.args)
    return _RULES[node.op](a, b) if a is not None and b is not None else None


def _add(a: Range, b: Range) -> Range:
    return Range(
        a.low + b.low if a.low is not None and b.low is not None else None,
        a.high + b.high if a.high is not None and b.high is not None else None,
        a.low_open or b.low_open,
        a.high_open or b.high_open,
    )


def _mul(a: Range, b: Range) -> Range | None:
    for x, y in ((a, b), (b, a)):
        if x.low is not None and x.low == x.high:  # times a constant
            c = x.low
            ends = [(y.low, y.low_open), (y.high, y.high_open)]
            (low, low_open), (high, high_open) = ends if c > 0 else ends[::-1]
            return Range(c * low if low is not None else None, c * high if high is not None else None,
                         low_open, high_open)  # fmt: skip
    if a.nonnegative and b.nonnegative:
        assert a.low is not None and b.low is not None
        high = a.high * b.high if a.high is not None and b.high is not None else None
        return Range(a.low * b.low, high, a.positive and b.positive and (a.low_open or b.low_open), False)
    return None


def _div(a: Range, b: Range) -> Range | None:
    if not b.positive:
        return None
    assert b.low is not None
    inverse = Range(1 / b.high if b.high else _ZERO, 1 / b.low if b.low else None, b.high_open or b.high is None,
                    b.low_open)  # fmt: skip
    return _mul(a, inverse)


def _power(base: Range, exponent: Range) -> Range | None:
    if base.nonnegative and exponent.nonnegative:
        if base.high is not None and base.high <= 1:
            open_ = base.positive
            return Range(_ZERO, Fraction(1), open_, base.high_open and exponent.positive)
        return Range(_ZERO)
    if exponent.low is not None and exponent.low == exponent.high and exponent.low % 2 == 0 and exponent.low > 0:
        return Range(_ZERO)
    return None


def _maximum(a: Range, b: Range) -> Range:
    lows = [x for x in (a.low, b.low) if x is not None]
    highs = a.high is not None and b.high is not None
    return Range(max(lows) if lows else None, max(a.high, b.high) if highs else None)  # type: ignore[type-var]


def _minimum(a: Range, b: Range) -> Range:
    highs = [x for x in (a.high, b.high) if x is not None]
    lows = a.low is not None and b.low is not None
    return Range(min(a.low, b.low) if lows else None, min(highs) if highs else None)  # type: ignore[type-var]


_RULES: dict[str, Callable[[Range, Range], Range | None]] = {
    "add": _add, "mul": _mul, "div": _div, "pow": _power, "max": _maximum, "min": _minimum,
}  # fmt: skip


def narrow(node: Node, low: Fraction | None, high: Fraction | None, is_open: bool) -> None:
    """Adds a bound to what is known of a node."""
    old = range_of(node) or Range()
    if low is not None and (old.low is None or low > old.low or (low == old.low and is_open)):
        old = old._replace(low=low, low_open=is_open)
    if high is not None and (old.high is None or high < old.high or (high == old.high and is_open)):
        old = old._replace(high=high, high_open=is_open)
    ranges[node] = old
