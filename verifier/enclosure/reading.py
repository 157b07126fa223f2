"""What an enclosure says of observed values: whether they lie in it, and how much of it they use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from verifier.enclosure import interval
from verifier.enclosure.interval import Base
from verifier.floats import Array

if TYPE_CHECKING:
    from verifier.enclosure.computed import Enclosure

Mask = NDArray[np.bool_]


class Alternative(NamedTuple):
    """Values some elements may take instead, when a comparison could have gone either way."""

    elements: NDArray[Any]
    values: Enclosure


def either(a: Mask | None, b: Mask | None) -> Mask | None:
    """Where `a` or `b` holds; None for nowhere."""
    if a is None or b is None:
        found = b if a is None else a
        return found if found is not None and found.any() else None
    return a | b


def part_of(alternatives: tuple[Alternative, ...], chosen: NDArray[Any], size: int) -> tuple[Alternative, ...]:
    """The alternatives of the elements `chosen` out of `size`, numbered anew."""
    places = np.full(size, -1)
    places[chosen] = np.arange(len(chosen))
    kept = []
    for elements, values in alternatives:
        there = places[elements] >= 0
        if there.any():
            kept.append(Alternative(places[elements[there]], values[np.flatnonzero(there)]))
    return tuple(kept)


def allowed(e: Enclosure) -> tuple[Array, Array]:
    """The smallest and the largest value a store may leave; see `Enclosure.allowed`. shape=(N,)"""
    lo, hi = e.before_last_rounding()
    size = len(e)
    if e.fmt is None:
        down, up = interval.convert(lo, hi, np.float64)
    else:
        down, up = (x.astype(np.float64) for x in interval.stores(e.fmt, lo, hi, inner=e.kind != "closed"))
    if len(down) == size == len(up):
        return down, up
    return np.broadcast_to(down, size).copy(), np.broadcast_to(up, size).copy()


def contains(e: Enclosure, observed: Array) -> Mask:
    """Where `observed` is admissible. shape=(N,)"""
    lo, hi = e.allowed()
    seen = np.asarray(observed, dtype=np.float64)
    inside = (seen >= lo) & (seen <= hi) | (lo == -np.inf) & (hi == np.inf)
    if e.nan is not None:
        inside |= e.where_nan() & np.isnan(seen)
    for elements, values in e.alternatives:
        inside[elements] |= values.contains(seen[elements])
    return np.asarray(inside, dtype=np.bool_)


def margin(e: Enclosure, observed: Array) -> Array:
    """The share of the enclosure used; see `Enclosure.margin`. shape=(N,)

    The largest share of many elements is 1 nearly always, and says only that nothing lies outside. That is the nature
    of a set of one to three neighbouring numbers: the bounds before the store's rounding lie a fraction of an ulp
    apart, a correctly rounded value is as good as anywhere in that ulp, and where it is beyond the bound the share is
    measured to the value itself, so that it is exactly 1. What tells a tight enclosure from a wide one is how far
    apart `allowed` is: the fewer values, the smaller the mistake that shows.
    """
    seen = np.asarray(observed, dtype=np.float64)
    lo, hi = e.before_last_rounding()
    down, up = e.allowed()
    low, high = np.minimum(lo, down), np.maximum(hi, up)
    with np.errstate(all="ignore"):
        centre = (low + high) / 2
        centre = np.where(np.isfinite(centre), centre, np.where(np.isfinite(low), low, high))
        distance = np.abs(seen - centre)
        room = np.where(seen < centre, centre - low, high - centre)
        share = np.where(distance == 0, 0, distance / room)
    inside = (seen >= down) & (seen <= up)
    share = np.where(np.isnan(share) | np.isinf(share), np.where(inside, 0, np.inf), share).astype(np.float64)
    free = (down == -np.inf) & (up == np.inf)  # nothing is excluded, so nothing is used
    share = np.where(free | e.where_nan() & np.isnan(seen), 0, share)
    for elements, values in e.alternatives:
        share[elements] = np.minimum(share[elements], values.margin(seen[elements]))
    return share


def hull_bounds(e: Enclosure) -> tuple[Base, Base]:
    """Bounds before the last rounding that hold the alternatives too."""
    lo, hi = e.before_last_rounding()
    if e.alternatives:
        lo, hi = np.broadcast_to(lo, len(e)).copy(), np.broadcast_to(hi, len(e)).copy()
    for elements, values in e.alternatives:
        low, high = values.before_last_rounding()
        lo[elements], hi[elements] = np.minimum(lo[elements], low), np.maximum(hi[elements], high)
    return lo, hi
