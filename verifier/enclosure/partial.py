"""What the partial products of a product may lose below the normal range, or above the largest value.

In the normal range each rounding changes a product by a factor between 1 - u and 1 + u, wherever it happens. Outside it
the order of the factors matters, and an implementation may choose any.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from verifier.enclosure import interval
from verifier.enclosure.interval import Base
from verifier.floats import Format


class Factor(NamedTuple):
    """One factor of a product: bounds of its magnitude, and whether it divides."""

    least: Base
    most: Base
    divides: bool
    shared: bool  # the same for every element: implementations may divide by its reciprocal


Bounds = tuple[Base, Base, NDArray[Any] | None]
"""lo, hi, and where NaN became possible."""


def partial_products(fmt: Format, lo: Base, hi: Base, factors: tuple[Factor, ...]) -> Bounds:
    """Bounds of the product of three or more `factors`, lo and hi being bounds where nothing under- or overflows.

    A partial product rounded in the subnormal range is off by half the smallest subnormal, and that is multiplied
    by the factors still missing: at most by the product of all that exceed 1.
    """
    reach: Base = np.ones(1, lo.dtype)  # bounds every partial product, and what may still be multiplied on
    for f in factors:
        reach = reach * np.maximum(1 / f.least if f.divides else f.most, 1)
    later = len(factors) - 2  # the last product is rounded by whoever consumes it
    error = reach * (later * lo.dtype.type(fmt.tiny) / 2 * (1 + interval.relative(fmt, 2 * len(factors))))
    lo, hi = interval.widen(lo, hi, error)
    lost = None
    if not float(reach.max()) <= fmt.largest:  # an overflowing partial product stays infinite
        beyond = ~(reach <= fmt.largest)
        lo, hi = np.where(beyond & (lo < 0), -np.inf, lo), np.where(beyond & (hi > 0), np.inf, hi)
        lost = beyond & (lo <= 0) & (hi >= 0)  # infinity times a factor that may be zero
        lo, hi = np.where(lost, -np.inf, lo), np.where(lost, np.inf, hi)
    return (*_partial_divisors(fmt, lo, hi, factors), lost)


def _partial_divisors(fmt: Format, lo: Base, hi: Base, factors: tuple[Factor, ...]) -> tuple[Base, Base]:
    """Divisors multiplied together first, or divided by a shared numerator, may leave the range on either side."""
    most: Base = np.ones(1, lo.dtype)
    least: Base = np.ones(1, lo.dtype)
    for f in factors:
        if f.divides:
            most, least = most * np.maximum(f.most, 1), least * np.minimum(f.least, 1)
        elif f.shared:
            most = most * np.maximum(1 / f.least, 1)
            least = least * np.minimum(1 / f.most, 1)
    if not any(f.divides for f in factors):
        return lo, hi
    if not float(most.max()) <= fmt.largest:  # the divisor becomes infinite, the quotient zero
        zero = ~(most <= fmt.largest)
        lo, hi = np.where(zero, np.minimum(lo, 0), lo), np.where(zero, np.maximum(hi, 0), hi)
    if not float(least.min()) >= fmt.smallest_normal:  # the divisor is off by half the smallest subnormal, or zero
        off = (len(factors) - 2) * lo.dtype.type(fmt.tiny) / 2 / least
        blown = ~(off < 0.25) & ~((lo == 0) & (hi == 0))
        change = np.where(off < 0.25, 2 * off, 0)
        lo, hi = np.minimum(lo * (1 - change), lo * (1 + change)), np.maximum(hi * (1 - change), hi * (1 + change))
        lo, hi = np.where(blown, -np.inf, lo), np.where(blown, np.inf, hi)
    return lo, hi
