"""The ways implementations write a moving average, a decay and a long sum, and what each adds in rounding.

Where the value that appears twice in a rewritten form is known exactly, the form is simply evaluated. Where it is a
range, evaluating it would count the range twice; then the exact range of the real formula is widened by a bound on
the rewritten form's own roundings.
"""

from __future__ import annotations

import numpy as np

from verifier.enclosure import interval
from verifier.enclosure.computed import Enclosure
from verifier.enclosure.interval import Base
from verifier.enclosure.partial import Factor
from verifier.enclosure.reading import Alternative, Mask, either
from verifier.floats import Format


def mix(b: Enclosure, w: Enclosure, x: Enclosure, y: Enclosure) -> Enclosure:
    """b*x + w*y with w = 1 - b: as two products and a sum, as x + w*(y - x), or as y - b*(y - x) when b <= 1/2.

    The last is what torch's lerp computes for weights above one half.
    """
    direct = b * x + w * y
    fmt = direct.fmt
    if fmt is None or w.is_zero:
        return direct
    x, y, b, w = x.settled(), y.settled(), b.settled(), w.settled()
    one = Enclosure.number(1, fmt)
    back = b.hull(one - w).settled()  # lerp's second form subtracts its own rounded weight from one
    if not (((w.lo >= 0) & (w.hi <= 1)).all() and ((b.lo >= 0) & (b.hi <= 1)).all()):
        return direct.hull(x + w * (y - x), y - back * (y - x))
    forms = [x + w * (y - x) if x.is_point else _lerp_range(x, y, w, fmt)]
    small = b.lo <= 0.5  # at one half lerp takes this form too: it asks whether the weight is below one half
    if small.any():
        other = y - back * (y - x) if y.is_point else _lerp_range(y, x, back, fmt)
        forms.append(other if small.all() else select(small, other, direct))
    result = _overflowing(direct.hull(*forms))
    if ((x.lo >= 0) & (y.lo >= 0)).all():
        # x - round(w*round(x - y)) is not negative: x is stored, so round(x - y) <= x, and w <= 1; rounding is monotone
        lost = (result.lo == -np.inf) & (result.hi == np.inf)
        result = Enclosure(
            np.where(lost, result.lo, np.maximum(result.lo, 0)), result.hi, fmt, nan=result.nan, kind="sum", rounds=1
        )
    return result


def weight_of_rounded(b: Enclosure, w: Enclosure) -> Enclosure:
    """The weight w = 1 - b as given, or 1 less a rounded b: what lerp from y to x by a b above 1/2 makes of it.

    lerp(y, x, b) is then x - (1 - b)*(x - y), with 1 - b computed in the format of the tensors.
    """
    weight = w.hull(1 - b.settled()).settled()
    weight.scalar = w.scalar
    return weight


def _overflowing(e: Enclosure) -> Enclosure:
    """Where an infinity is reachable, anything is: one form gives inf, another inf - inf."""
    beyond = ~(np.isfinite(e.settled().lo) & np.isfinite(e.settled().hi))
    if not beyond.any():
        return e
    lo, hi = np.where(beyond, -np.inf, e.lo), np.where(beyond, np.inf, e.hi)
    return Enclosure(lo, hi, e.fmt, nan=either(e.nan, beyond), kind="sum", rounds=1)


def _lerp_range(x: Enclosure, y: Enclosure, w: Enclosure, fmt: Format) -> Enclosure:
    """(1-w)*x + w*y for w in [0, 1], and the roundings of x + w*(y - x): of the difference, and of the product."""
    with np.errstate(all="ignore"):
        ends = [[(1 - v) * p + v * q for v in (w.lo, w.hi)] for p, q in ((x.lo, y.lo), (x.hi, y.hi))]
        scale = np.maximum(interval.magnitude(x.lo, x.hi), interval.magnitude(y.lo, y.hi))
        # base roundings are relative to the terms, not to their sum
        lo, hi = np.minimum(*ends[0]), np.maximum(*ends[1])
        slack = scale * (4 * np.finfo(lo.dtype).eps)
        difference = np.maximum(np.abs(y.hi - x.lo), np.abs(x.hi - y.lo))
        error = w.hi * interval.half_ulp(fmt, difference) + interval.half_ulp(fmt, w.hi * difference * (1 + 2 * fmt.u))
        return Enclosure(
            lo - (error + slack), hi + (error + slack), fmt, nan=either(x.nan, y.nan), kind="sum", rounds=1
        )


def decay(x: Enclosure, keep: Enclosure, c: Enclosure) -> Enclosure:
    """x*(1 - c) with `keep` = 1 - c in double: as one product, or as x - c*x, c folded or not."""
    if c.is_zero and x.is_finite:
        return x
    fmt = x.fmt
    if fmt is None:
        return x * keep
    one = Enclosure.number(1, fmt)
    forms = [x * keep.hull(one - c).settled()]
    value = x.settled()
    if value.is_point:
        forms.append(value - c * value)
    else:
        forms.append(_subtracted(value, c, fmt))
    return forms[0].hull(*forms[1:])


def _subtracted(x: Enclosure, c: Enclosure, fmt: Format) -> Enclosure:
    """x - c*x over a range of x: the range of x*(1 - c), and the roundings of the product c*x."""
    product, factor = c * x, c.settled()
    with np.errstate(all="ignore"):
        rest = interval.outward(1 - factor.hi, 1 - factor.lo)
        lo, hi = interval.times((x.lo, x.hi), rest)
        below, above = product.before_last_rounding()
        inner = np.maximum(product.lo - below, above - product.hi)
        error = inner + interval.half_ulp(fmt, interval.magnitude(below, above))
        return Enclosure(lo - error, hi + error, fmt, nan=product.nan, kind="sum", rounds=1)


def fold(x: Enclosure, keep: Enclosure, c: Enclosure, a: Enclosure, b: Enclosure, d: Enclosure) -> Enclosure:
    """x*(1 - a*b) - b*d with c = a*b: as decay and subtraction, or as x - b*(d + a*x)."""
    plain = decay(x, keep, c) - b * d
    fmt = x.fmt
    if fmt is None:
        return plain
    value, given = x.settled(), d.settled()
    inner = given + a * value
    if value.is_point:
        return plain.hull(value - b * inner)
    with np.errstate(all="ignore"):
        bound = b.settled()
        size = interval.magnitude(inner.lo, inner.hi)
        scaled = interval.magnitude(bound.lo, bound.hi)
        shift = interval.magnitude(*_bounds(a * value))
        error = scaled * (interval.half_ulp(fmt, shift) + interval.half_ulp(fmt, size))
        error = error * (1 + 4 * fmt.u) + interval.half_ulp(fmt, scaled * size * (1 + 4 * fmt.u))
        lo, hi = plain.before_last_rounding()
    return Enclosure(lo - error, hi + error, fmt, nan=plain.nan, kind="sum", rounds=1)


def total(terms: list[Enclosure]) -> Enclosure:
    """A sum of three or more terms in any order: each partial sum but the last is rounded or not."""
    real = terms[0].fmt is None
    parts = [p.settled() for p in terms if not p.is_zero]
    if len(parts) < 3 or real:
        result = terms[0] if not parts else parts[0]
        for p in parts[1:] if parts else ():
            result = result + p
        return result
    fmt = parts[0].fmt
    assert fmt is not None
    with np.errstate(all="ignore"):
        lo, hi = parts[0].lo, parts[0].hi
        sizes = [interval.magnitude(p.lo, p.hi) for p in parts]
        nan = None
        result = parts[0]
        for p in parts[1:]:
            result = result + p
            lo, hi = lo + p.lo, hi + p.hi
        nan = result.nan
        scale: Base = sum(sizes[1:], start=sizes[0])
        if len(parts) == 3:  # the one partial sum is of two terms: the largest of the three pairs
            pairs = [(0, 1), (0, 2), (1, 2)]
            bounds = [interval.magnitude(parts[i].lo + parts[j].lo, parts[i].hi + parts[j].hi) for i, j in pairs]
            error = interval.half_ulp(fmt, np.maximum.reduce(np.broadcast_arrays(*bounds)))
        else:
            error = (len(parts) - 2) * interval.half_ulp(fmt, scale * (1 + len(parts) * 2 * fmt.u))
        error = error + scale * (8 * len(parts) * np.finfo(scale.dtype).eps)
        return Enclosure(lo - error, hi + error, fmt, nan=nan, kind="sum", rounds=1)


def _bounds(e: Enclosure) -> tuple[Base, Base]:
    a = e.settled()
    return a.lo, a.hi


def select(condition: Mask, first: Enclosure, second: Enclosure) -> Enclosure:
    """`first` where `condition` holds, `second` elsewhere; where both are products, the result stays open."""
    if condition.all():
        return first
    if not condition.any():
        return second
    a, b = first, second
    if a.kind != b.kind or a.kind in ("sum", "root") or len(a.factors) != len(b.factors):
        a, b = a.settled(), b.settled()
    nan = None
    if a.nan is not None or b.nan is not None:
        nan = np.where(condition, a.where_nan(), b.where_nan())
    factors = tuple(
        Factor(np.minimum(f.least, h.least), np.maximum(f.most, h.most), f.divides or h.divides, f.shared and h.shared)
        for f, h in zip(a.factors, b.factors, strict=True)
    )
    if any(f.divides != h.divides for f, h in zip(a.factors, b.factors, strict=True)):
        return select(condition, first.settled(), second.settled())
    return Enclosure(
        np.where(condition, a.lo, b.lo),
        np.where(condition, a.hi, b.hi),
        a.fmt,
        nan=nan,
        kind=a.kind,
        rounds=max(a.rounds, b.rounds),
        factors=factors,
    )


def or_root(product: Enclosure, quotient: Enclosure) -> Enclosure:
    """A product of roots, or the root of `quotient`, where that may have left the normal range.

    Elsewhere the two roundings granted to each root cover both forms.
    """
    fmt = product.fmt
    if fmt is None:
        return product
    q = quotient.settled()
    edge = (q.hi > fmt.largest / 4) | (q.lo < fmt.smallest_normal * 4)
    if not edge.any():
        return product
    low, high = interval.root(q.lo, q.hi)
    with np.errstate(all="ignore"):
        lo = np.where(edge, np.minimum(product.lo, low), product.lo)
        hi = np.where(edge, np.maximum(product.hi, high), product.hi)
    return Enclosure(
        lo, hi, fmt, nan=either(product.nan, q.nan), kind="product", rounds=product.rounds, factors=product.factors
    )


def held_in(e: Enclosure, fmt: Format) -> Enclosure:
    """What memory of a wider format may hold of `e`: its result, rounded to the narrower format before or not."""
    if e.fmt is None or fmt is e.fmt:
        return e
    a = e.settled()
    lo, hi = interval.convert(a.lo, a.hi, interval.base_dtype(fmt))
    others = tuple(Alternative(elements, held_in(values, fmt)) for elements, values in e.alternatives)
    return Enclosure(lo, hi, fmt, nan=a.nan, kind="sum", rounds=1, alternatives=others)
