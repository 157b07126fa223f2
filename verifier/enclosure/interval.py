"""Intervals of base arithmetic: outward rounding, rounding to a format, and the size of a rounding error.

An interval is a pair of arrays (lo, hi) of float64, or of long double where float64 itself is the format examined or
where a product leaves float64's range. Every function returns bounds that contain the exact real result: the base
operation rounds to nearest, so its result is moved outwards by two of its own roundoffs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.floats import FP32, Format

Base = NDArray[Any]
"""float64 or long double, shape=(N,) or (1,) for a value all elements share."""

WIDE = np.longdouble
_SLACK = {np.dtype(d): np.finfo(d).eps * 2 for d in (np.float64, WIDE)}  # scalars of the dtype itself
_NATIVE: dict[str, Any] = {"float64": np.float64, "float32": np.float32, "float16": np.float16}
_EXPONENT = np.int64(0x7FF0000000000000)


def base_dtype(fmt: Format | None) -> Any:
    """The dtype bounds are kept in: real numbers and fp64 need more than float64, narrower formats do not."""
    return WIDE if fmt is None or fmt.precision == 53 else np.float64


def outward(lo: Base, hi: Base) -> tuple[Base, Base]:
    """`lo` and `hi` moved apart by what one base operation may have rounded them by; zero stays zero."""
    slack = _SLACK[lo.dtype]
    if lo is hi:
        down, up = lo * (1 - slack), lo * (1 + slack)
        return np.minimum(down, up), np.maximum(down, up)
    return np.minimum(lo * (1 - slack), lo * (1 + slack)), np.maximum(hi * (1 - slack), hi * (1 + slack))


def convert(lo: Base, hi: Base, dtype: Any) -> tuple[Base, Base]:
    """The same interval in another base dtype, never narrower."""
    if lo.dtype == dtype:
        return lo, hi
    if dtype == WIDE:
        wide = lo.astype(WIDE)
        return wide, wide if lo is hi else hi.astype(WIDE)
    with np.errstate(all="ignore"):
        down, up = lo.astype(dtype), hi.astype(dtype)
        if lo is hi and np.array_equal(down, lo):
            return down, down
        down = np.where(down > lo, np.nextafter(down, -np.inf), down)
        return down, np.where(up < hi, np.nextafter(up, np.inf), up)


def nearest(fmt: Format, x: Base) -> Base:
    """`x` rounded to `fmt`, ties to even, overflow to infinity; the dtype stays."""
    with np.errstate(all="ignore"):
        return _nearest(fmt, x)


def _nearest(fmt: Format, x: Base) -> Base:
    """As `nearest`, where numpy's warnings are off already."""
    native = _NATIVE.get(fmt.name)
    if native is not None:
        narrow: Base = x.astype(native).astype(x.dtype)
        return narrow
    # bfloat16: scaling by the spacing, a power of two, is exact
    spacing = 2 * half_ulp(fmt, np.abs(x), inner=False)
    spacing[spacing == 0] = 1
    rounded = np.rint(x / spacing) * spacing
    rounded = np.where(np.abs(rounded) > fmt.largest, np.copysign(np.inf, x), rounded)
    return np.asarray(np.where(np.isfinite(x), rounded, x), dtype=x.dtype)


def both_roundings(fmt: Format, lo: Base, hi: Base) -> tuple[Base, Base]:
    """Bounds of {x, rounded x} over the interval. Rounding is monotone, so the endpoints decide.

    Formats narrower than fp32 are computed in fp32 registers: x may first have been rounded to fp32.
    """
    with np.errstate(all="ignore"):
        if fmt.precision < FP32.precision:
            lo = np.minimum(lo, _nearest(FP32, lo))
            hi = np.maximum(hi, _nearest(FP32, hi))
        return np.minimum(lo, _nearest(fmt, lo)), np.maximum(hi, _nearest(fmt, hi))


def stores(fmt: Format, lo: Base, hi: Base, inner: bool) -> tuple[Base, Base]:
    """Bounds of {rounded x} over the interval; `inner`: narrow formats may have rounded x to fp32 first."""
    with np.errstate(all="ignore"):
        if inner and fmt.precision < FP32.precision:
            lo = np.minimum(lo, _nearest(FP32, lo))
            hi = np.maximum(hi, _nearest(FP32, hi))
        return _nearest(fmt, lo), _nearest(fmt, hi)


def half_ulp(fmt: Format, magnitude: Base, inner: bool = True) -> Base:
    """The most that rounding a value of at most `magnitude` moves it; 0 at 0, which rounds to itself.

    Half an ulp there, at least half the smallest subnormal; `inner` adds the fp32 rounding of narrower formats.
    """
    plain = np.ascontiguousarray(magnitude, dtype=np.float64)
    power = (plain.view(np.int64) & _EXPONENT).view(np.float64).astype(magnitude.dtype)
    half: Base = np.maximum(power * fmt.u, magnitude.dtype.type(fmt.tiny) / 2)
    if inner and fmt.precision < FP32.precision:
        half = half + magnitude * 2.0**-24 + FP32.tiny
    half *= magnitude != 0
    return half


def relative(fmt: Format, roundings: int) -> float:
    """The largest relative change `roundings` roundings to nearest can make, away from underflow."""
    each = fmt.u + (2.0**-24 if fmt.precision < FP32.precision else 0.0)
    total = roundings * each
    return total * (1 + total)  # (1 + u)^k - 1 <= ku (1 + ku) while ku <= 1


def magnitude(lo: Base, hi: Base) -> Base:
    """The largest absolute value in each interval."""
    return np.abs(lo) if lo is hi else np.maximum(np.abs(lo), np.abs(hi))


def smallest(lo: Base, hi: Base) -> Base:
    """The smallest absolute value in each interval."""
    if lo is hi:
        return np.abs(lo)
    return np.maximum(np.maximum(lo, -hi), 0)


def widen(lo: Base, hi: Base, by: Base | float) -> tuple[Base, Base]:
    """The interval with `by` added on both sides, but no sign that was not there: rounding never changes a sign."""
    down, up = lo - by, hi + by
    np.maximum(down, 0, out=down, where=lo >= 0)
    np.minimum(up, 0, out=up, where=hi <= 0)
    return down, up


def times(a: tuple[Base, Base], b: tuple[Base, Base]) -> tuple[Base, Base]:
    """The product of two intervals; NaN bounds where zero meets infinity."""
    try:
        with np.errstate(all="ignore", under="raise", over="raise"):
            return outward(*_corners(a, b))
    except FloatingPointError:  # outside the base's range: long double reaches further
        a, b = convert(*a, WIDE), convert(*b, WIDE)
    try:
        with np.errstate(all="ignore", under="raise", over="raise"):
            return outward(*_corners(a, b))
    except FloatingPointError:
        with np.errstate(all="ignore"):
            lo, hi = _corners(a, b)
            lost = ~(np.isfinite(lo) & np.isfinite(hi))
            tiny = np.finfo(WIDE).tiny
            lo, hi = outward(lo - tiny, hi + tiny)
            return np.where(lost, -np.inf, lo), np.where(lost, np.inf, hi)


def _corners(a: tuple[Base, Base], b: tuple[Base, Base]) -> tuple[Base, Base]:
    a_point, b_point = a[0] is a[1], b[0] is b[1]
    if a_point and b_point:
        both = a[0] * b[0]
        return both, both
    if b_point:
        a, b, a_point, b_point = b, a, b_point, a_point
    if a_point:
        p, q = a[0] * b[0], a[0] * b[1]
        if (a[0] >= 0).all():
            return p, q
        return np.minimum(p, q), np.maximum(p, q)
    if (a[0] >= 0).all() and (b[0] >= 0).all():
        return a[0] * b[0], a[1] * b[1]
    p, q, r, s = a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]
    return np.minimum(np.minimum(p, q), np.minimum(r, s)), np.maximum(np.maximum(p, q), np.maximum(r, s))


def reciprocal(lo: Base, hi: Base) -> tuple[Base, Base]:
    """1 over the interval; (-inf, inf) where it holds zero."""
    try:
        with np.errstate(all="ignore", under="raise", over="raise"):
            down = np.divide(1, hi)
            up = down if lo is hi else np.divide(1, lo)
    except FloatingPointError:  # 1/x leaves float64's range only for x that long double inverts with ease
        lo, hi = convert(lo, hi, WIDE)
        with np.errstate(all="ignore"):
            down, up = np.divide(1, hi), np.divide(1, lo)
    down, up = outward(down, up)
    holds_zero = (lo <= 0) & (hi >= 0)
    if holds_zero.any():
        down, up = np.where(holds_zero, -np.inf, down), np.where(holds_zero, np.inf, up)
    return down, up


def root(lo: Base, hi: Base) -> tuple[Base, Base]:
    """The square root of the part of the interval that is not negative."""
    with np.errstate(all="ignore"):
        if lo is hi:
            both = np.sqrt(np.maximum(lo, 0))
            return outward(both, both)
        return outward(np.sqrt(np.maximum(lo, 0)), np.sqrt(np.maximum(hi, 0)))


def power(base: tuple[Base, Base], exponent: tuple[Base, Base]) -> tuple[Base, Base]:
    """`base` ** `exponent` in long double, for bases that are not negative; (-inf, inf) where one may be."""
    with np.errstate(all="ignore"):
        bases, exponents = ([x.astype(WIDE) for x in pair] for pair in (base, exponent))
        corners = [np.power(x, y) for x in bases for y in exponents]  # monotone in each argument
        lo, hi = np.minimum.reduce(corners), np.maximum.reduce(corners)
        slack = max(WIDE(2.0**-58), np.finfo(WIDE).eps * 4)  # powl is good to an ulp or two of its 64 bits
        lo, hi = lo * (1 - slack), hi * (1 + slack)
        return np.where(bases[0] < 0, -np.inf, lo), np.where(bases[0] < 0, np.inf, hi)


def zero_times_infinity(a: tuple[Base, Base], b: tuple[Base, Base]) -> NDArray[np.bool_]:
    """Where a product of two intervals may be zero times infinity."""
    zero_a, zero_b = ((x[0] <= 0) & (x[1] >= 0) for x in (a, b))
    infinite_a, infinite_b = (np.isinf(x[0]) | np.isinf(x[1]) for x in (a, b))
    found: NDArray[np.bool_] = zero_a & infinite_b | zero_b & infinite_a
    return found
