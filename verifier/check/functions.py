"""Functions that closed forms in generated properties are written with."""

from __future__ import annotations

from fractions import Fraction

from verifier.enclosure import Enclosure


def sqrt(x: Enclosure) -> Enclosure:
    """The square root, elementwise."""
    return x.sqrt()


def sign(x: Enclosure) -> Enclosure:
    """-1, 0 or 1, elementwise."""
    return x.sign()


def maximum(a: Enclosure | float, b: Enclosure | float) -> Enclosure:
    """The larger of two, elementwise."""
    return a.maximum(b) if isinstance(a, Enclosure) else _enclosed(b).maximum(a)


def minimum(a: Enclosure | float, b: Enclosure | float) -> Enclosure:
    """The smaller of two, elementwise."""
    return a.minimum(b) if isinstance(a, Enclosure) else _enclosed(b).minimum(a)


def ratio(p: int, q: int) -> Enclosure:
    """The rational number p/q, exactly."""
    return Enclosure.number(Fraction(p, q))


def _enclosed(x: Enclosure | float) -> Enclosure:
    return x if isinstance(x, Enclosure) else Enclosure.number(x)
