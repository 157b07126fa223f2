"""What an implementation may have computed: interval arithmetic that knows which roundings are still open.

The class of implementations one `Enclosure` covers, operation by operation:

- every elementary operation may or may not be rounded to the format (so fused multiply-add, wider registers);
- products and quotients may be associated in any order, quotients formed as numerator over denominators;
- a square root is faithful (off by less than an ulp), and sqrt(v/c) may be sqrt(v)/sqrt(c);
- formats narrower than fp32 may be computed in fp32 registers.

A product therefore stays open: its real value is kept with its factors, and its roundings are added only when a sum,
a root, a comparison or a store consumes it, for only then is it known that no further factor joins in. One final
rounding is exact at the endpoints, because rounding is monotone; the roundings before it are bounded by (1 + u)^k and
by half the smallest subnormal times whatever was still to be multiplied on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.enclosure import interval, reading
from verifier.enclosure.interval import WIDE, Base
from verifier.enclosure.partial import Factor, partial_products
from verifier.enclosure.reading import Alternative, Mask, either
from verifier.floats import Array, Format

CLOSED, SUM, PRODUCT, ROOT = "closed", "sum", "product", "root"
"""What is still to be rounded: nothing, a sum (or any one operation), a product, a square root."""


class Enclosure:
    """A set of values per element that contains whatever a covered implementation may have computed.

    `lo`, `hi` bound the result of the last operation before its rounding (float64; long double for fp64 and for real
    numbers), shape (N,), or (1,) where all elements share it; `nan` says where NaN is possible besides. With `fmt`
    None, plain outward-rounded arithmetic of real numbers: nothing is rounded.
    """

    __slots__ = ("_settled", "alternatives", "factors", "fmt", "hi", "kind", "lo", "nan", "rounds", "scalar")
    __array_ufunc__ = None  # so that array + Enclosure asks Enclosure

    def __init__(
        self,
        lo: Base,
        hi: Base,
        fmt: Format | None = None,
        *,
        nan: Mask | None = None,
        kind: str = CLOSED,
        rounds: int = 0,
        factors: tuple[Factor, ...] = (),
        alternatives: tuple[Alternative, ...] = (),
    ) -> None:
        if not (np.isfinite(lo).all() and (hi is lo or np.isfinite(hi).all())):
            lost = np.isnan(lo) | np.isnan(hi)
            if lost.any():
                lo, hi = np.where(lost, -np.inf, lo), np.where(lost, np.inf, hi)
                nan = either(nan, lost)
        self.lo, self.hi, self.fmt, self.nan = lo, hi, fmt, nan
        self.kind, self.rounds, self.factors, self.alternatives = kind, rounds, factors, alternatives
        self.scalar = False  # set where the values are scalars of the step, one an element when groups differ
        self._settled: Enclosure | None = None

    @classmethod
    def exact(cls, values: Any, fmt: Format | None = None) -> Enclosure:
        """The enclosure that holds exactly `values` (float64 or long double, one an element)."""
        point = np.atleast_1d(np.asarray(values)).astype(interval.base_dtype(fmt))
        return cls(point, point, fmt)

    @classmethod
    def number(cls, value: Fraction | float | int, fmt: Format | None = None) -> Enclosure:
        """A constant of the formula, enclosed outwards; exact where the base can hold it."""
        exact = Fraction(value)
        point = np.full(1, WIDE(exact.numerator) / WIDE(exact.denominator))
        bits = abs(exact.numerator).bit_length()
        if bits <= 53 and exact.denominator & (exact.denominator - 1) == 0:
            lo, hi = point, point
        else:
            lo, hi = interval.outward(point, point)
        return cls(*interval.convert(lo, hi, interval.base_dtype(fmt)), fmt)

    @classmethod
    def concatenate(cls, parts: Sequence[Enclosure]) -> Enclosure:
        """The elements of `parts`, one after the other, as values that were stored."""
        closed = [p.stored() for p in parts]
        nan = None
        if any(p.nan is not None for p in closed):
            nan = np.concatenate([p.where_nan() for p in closed])
        lo, hi = np.concatenate([p.lo for p in closed]), np.concatenate([p.hi for p in closed])
        return cls(lo, hi, closed[0].fmt, nan=nan)

    def __len__(self) -> int:
        return max(len(self.lo), len(self.hi))

    def __getitem__(self, which: slice | NDArray[Any]) -> Enclosure:
        """Some of the elements, in the order asked for; a product stays open."""
        size = len(self)

        def part(x: NDArray[Any]) -> NDArray[Any]:
            return x[which] if len(x) == size else np.broadcast_to(x, size)[which]

        lo = part(self.lo)
        hi = lo if self.is_point else part(self.hi)
        factors = tuple(f._replace(least=part(f.least), most=part(f.most)) for f in self.factors)
        nan = None if self.nan is None else part(self.nan)
        kept = reading.part_of(self.alternatives, np.arange(size)[which], size) if self.alternatives else ()
        e = Enclosure(lo, hi, self.fmt, nan=nan, kind=self.kind, rounds=self.rounds, factors=factors, alternatives=kept)
        e.scalar = self.scalar
        return e

    def __repr__(self) -> str:
        name = self.fmt.name if self.fmt else "real"
        return f"Enclosure({name}, {self.kind}, lo={self.lo}, hi={self.hi})"

    def __neg__(self) -> Enclosure:
        lo = -self.hi
        hi = lo if self.hi is self.lo else -self.lo
        e = Enclosure(lo, hi, self.fmt, nan=self.nan, kind=self.kind, rounds=self.rounds, factors=self.factors)
        e.scalar = self.scalar
        return e

    def __add__(self, other: Operand) -> Enclosure:
        other = _lift(other, self.fmt)
        if other.is_zero:
            return self
        if self.is_zero:
            return other
        a, b = self.settled(), other.settled()
        with np.errstate(all="ignore"):
            lo = a.lo + b.lo
            hi = lo if a.is_point and b.is_point else a.hi + b.hi
            lo, hi = interval.outward(lo, hi)
        for part, rest in ((a, b), (b, a)):
            if not part.lo.all() and (nothing := (part.lo == 0) & (part.hi == 0)).any():  # adding zero is exact
                lo, hi = np.where(nothing, rest.lo, lo), np.where(nothing, rest.hi, hi)
        nan = either(a.nan, b.nan)
        if not (np.isfinite(lo).all() and np.isfinite(hi).all()):  # inf - inf
            clash = (a.hi == np.inf) & (b.lo == -np.inf) | (a.lo == -np.inf) & (b.hi == np.inf)
            nan = either(nan, clash)
        return Enclosure(lo, hi, _format(a, b), nan=nan, kind=SUM, rounds=1)

    def __sub__(self, other: Operand) -> Enclosure:
        return self + -_lift(other, self.fmt)

    def __rsub__(self, other: Operand) -> Enclosure:
        return -self + _lift(other, self.fmt)

    def __mul__(self, other: Operand) -> Enclosure:
        return self._multiplied(_lift(other, self.fmt), divide=False)

    def __truediv__(self, other: Operand) -> Enclosure:
        return self._multiplied(_lift(other, self.fmt), divide=True)

    def __rtruediv__(self, other: Operand) -> Enclosure:
        return _lift(other, self.fmt)._multiplied(self, divide=True)

    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, exponent: Operand) -> Enclosure:
        """`self` to a whole power by repeated products, or to any power where no base is negative."""
        if isinstance(exponent, int):
            if exponent < 0:
                return 1 / self**-exponent
            if exponent == 0:
                return Enclosure.number(1, self.fmt)
            if exponent == 2 or (exponent % 2 == 0 and self.fmt is None):
                half = abs(self) if exponent == 2 else abs(self) ** (exponent // 2)  # a square is not negative
                return half * half
            result = self
            for _ in range(exponent - 1):
                result = result * self
            return result
        if exponent == 0.5:
            return self.sqrt()
        return self.power(_lift(exponent, self.fmt))

    def _multiplied(self, other: Enclosure, divide: bool) -> Enclosure:
        if other.is_one:
            return self
        if self.is_one and not divide:
            return other
        fmt = _format(self, other)
        if not divide:
            for zero, rest in ((self, other), (other, self)):
                if zero.is_zero and rest.is_finite:
                    nothing = np.broadcast_to(zero.lo[:1], len(rest))  # see is_zero
                    return Enclosure(nothing, nothing, fmt)
        a, a_rounds, a_factors = self._as_factor(divides=False)
        b, b_rounds, b_factors = other._as_factor(divides=divide)
        with np.errstate(all="ignore"):
            right = interval.reciprocal(b.lo, b.hi) if divide else (b.lo, b.hi)
            lo, hi = interval.times((a.lo, a.hi), right)
        nan = either(a.nan, b.nan)
        if not (np.isfinite(right[0]).all() and np.isfinite(right[1]).all() and np.isfinite(a.lo).all()):
            nan = either(nan, interval.zero_times_infinity((a.lo, a.hi), right))
        exact = other.is_power_of_two or (self.is_power_of_two and not divide)  # no bits change, underflow apart
        rounds = a_rounds + b_rounds + (not exact)
        factors = (*a_factors, *b_factors)
        return Enclosure(lo, hi, fmt, nan=nan, kind=PRODUCT, rounds=rounds, factors=factors)

    def _as_factor(self, divides: bool) -> tuple[Enclosure, int, tuple[Factor, ...]]:
        """The bounds, roundings and factors this value brings into a product."""
        if self.kind == PRODUCT:
            if divides:
                return self, self.rounds, tuple(f._replace(divides=not f.divides) for f in self.factors)
            return self, self.rounds, self.factors
        if self.kind == ROOT and self.fmt is not None:
            # faithful: less than an ulp, so within 2u; that also covers sqrt(v/c), whose quotient was rounded first
            value, rounds = Enclosure(self.lo, self.hi, self.fmt, nan=self.nan), 2
        else:
            value, rounds = self.settled(), 0
        if value.fmt is None:
            return value, 0, ()
        least, most = interval.smallest(value.lo, value.hi), interval.magnitude(value.lo, value.hi)
        return value, rounds, (Factor(least, most, divides, self.scalar or len(value) == 1),)

    def sqrt(self) -> Enclosure:
        """The square root; NaN is possible where the radicand reaches below zero."""
        a = self.settled()
        nan = a.nan
        if not (a.lo >= 0).all():
            nan = either(nan, a.lo < 0)
        return Enclosure(*interval.root(a.lo, a.hi), a.fmt, nan=nan, kind=ROOT, rounds=1)

    def power(self, exponent: Enclosure, ulps: float = 0.0) -> Enclosure:
        """`self` ** `exponent` for bases that are not negative, computed to within `ulps` units in the last place."""
        a, b = self.settled(), exponent.settled()
        if b.is_one:
            return a
        lo, hi = interval.power((a.lo, a.hi), (b.lo, b.hi))
        lo, hi = interval.convert(lo, hi, interval.base_dtype(a.fmt))
        if not (lo.any() or hi.any()):  # no power of zero is rounded
            return Enclosure((zero := lo[:1]), zero, a.fmt, nan=either(a.nan, b.nan))
        if a.fmt is not None:
            lo, hi = interval.widen(lo, hi, 2 * ulps * interval.half_ulp(a.fmt, interval.magnitude(lo, hi)))
        once = (b.lo == 1) & (b.hi == 1)
        if once.any():  # nor is the first power of anything
            lo, hi = np.where(once, a.lo, lo), np.where(once, a.hi, hi)
        return Enclosure(lo, hi, a.fmt, nan=either(a.nan, b.nan))

    def __abs__(self) -> Enclosure:
        a = self.settled()
        return Enclosure(interval.smallest(a.lo, a.hi), interval.magnitude(a.lo, a.hi), a.fmt, nan=a.nan)

    def maximum(self, other: Operand) -> Enclosure:
        """The larger of the two, endpoint by endpoint; NaN wins, as in torch and numpy."""
        return self._endpoints(_lift(other, self.fmt), np.maximum)

    def minimum(self, other: Operand) -> Enclosure:
        """The smaller of the two, endpoint by endpoint; NaN wins, as in torch and numpy."""
        return self._endpoints(_lift(other, self.fmt), np.minimum)

    def _endpoints(self, other: Enclosure, pick: Any) -> Enclosure:
        a, b = self.settled(), other.settled()
        return Enclosure(pick(a.lo, b.lo), pick(a.hi, b.hi), _format(a, b), nan=either(a.nan, b.nan))

    def sign(self) -> Enclosure:
        """-1, 0 or 1: the hull of the signs the values may have."""
        a = self.settled()
        return Enclosure(np.sign(a.lo), np.sign(a.hi), a.fmt, nan=a.nan)

    def hull(self, *others: Enclosure) -> Enclosure:
        """The smallest enclosure that holds `self` and `others`, each with one rounding still open."""
        parts = [self, *others]
        bounds = [p.before_last_rounding() for p in parts]
        lo = np.minimum.reduce(np.broadcast_arrays(*(b[0] for b in bounds)))
        hi = np.maximum.reduce(np.broadcast_arrays(*(b[1] for b in bounds)))
        nan = None
        for p in parts:
            nan = either(nan, p.nan)
        return Enclosure(lo, hi, self.fmt, nan=nan, kind=SUM, rounds=1)

    def settled(self) -> Enclosure:
        """The values a further operation may read: the last result, rounded or not."""
        if self.kind == CLOSED or self.fmt is None:
            return self
        if self._settled is None:
            lo, hi = self.before_last_rounding()
            if self.kind != ROOT:
                lo, hi = interval.both_roundings(self.fmt, lo, hi)
            self._settled = Enclosure(lo, hi, self.fmt, nan=self.nan)
        return self._settled

    def stored(self) -> Enclosure:
        """The values memory may hold after a store: rounded to the format, alternatives included."""
        if self.fmt is None and not self.alternatives:
            return self
        if self.fmt is None:
            return Enclosure(*reading.hull_bounds(self), nan=self.nan)
        lo, hi = self.allowed()
        for elements, values in self.alternatives:
            low, high = values.allowed()
            lo[elements], hi[elements] = np.minimum(lo[elements], low), np.maximum(hi[elements], high)
        dtype = interval.base_dtype(self.fmt)
        low = lo.astype(dtype)
        return Enclosure(low, low if (lo == hi).all() else hi.astype(dtype), self.fmt, nan=self.nan)

    def final(self) -> Enclosure:
        """The same values with only the rounding of the store still open, and no factors kept alive."""
        lo, hi = self.before_last_rounding()
        return Enclosure(lo, hi, self.fmt, nan=self.nan, kind=SUM, rounds=1)

    def before_last_rounding(self) -> tuple[Base, Base]:
        """Bounds of the last operation's result before it is rounded, the roundings before it included."""
        lo, hi, fmt = self.lo, self.hi, self.fmt
        if fmt is None or self.kind in (CLOSED, SUM):
            return lo, hi
        with np.errstate(all="ignore"):
            if self.kind == ROOT:
                return interval.widen(lo, hi, 2 * interval.half_ulp(fmt, interval.magnitude(lo, hi)))
            if self.rounds > 1:
                off = lo.dtype.type(interval.relative(fmt, self.rounds - 1))  # 1 + u is 1 in float64
                lo, hi = np.minimum(lo * (1 - off), lo * (1 + off)), np.maximum(hi * (1 - off), hi * (1 + off))
            if len(self.factors) > 2:
                lo, hi, lost = partial_products(fmt, lo, hi, self.factors)
                self.nan = either(self.nan, lost)
        return lo, hi

    @property
    def is_point(self) -> bool:
        """Whether every element is one value, known exactly."""
        return self.lo is self.hi

    @property
    def is_finite(self) -> bool:
        """Whether no element can be infinite or NaN."""
        a = self.settled()
        return a.nan is None and bool(np.isfinite(a.lo).all() and np.isfinite(a.hi).all())

    @property
    def is_zero(self) -> bool:
        """Whether this is zero for every element because one value, repeated, is."""
        repeated = len(self.lo) == 1 or (len(self.lo) > 1 and self.lo.strides == (0,))
        return repeated and self.is_point and self.lo[0] == 0 and self.nan is None

    @property
    def is_one(self) -> bool:
        return self.kind == CLOSED and len(self.lo) == 1 and len(self.hi) == 1 and self.lo[0] == 1 == self.hi[0]

    @property
    def is_power_of_two(self) -> bool:
        """Whether this is plus or minus a power of two for every element; of tensors it is not asked."""
        if self.kind != CLOSED:
            return False
        if len(self.lo) == 1:
            return bool(self.lo[0] == self.hi[0]) and abs(math.frexp(float(self.lo[0]))[0]) == 0.5
        return self.scalar and self.is_point and bool((np.abs(np.frexp(self.lo)[0]) == 0.5).all())

    def where_nan(self) -> Mask:
        """Where NaN is possible. shape=(N,)"""
        return np.zeros(len(self), np.bool_) if self.nan is None else np.broadcast_to(self.nan, len(self))

    def allowed(self) -> tuple[Array, Array]:
        """The smallest and the largest value a store may leave, of the format (or the real bounds, outwards)."""
        return reading.allowed(self)

    @property
    def vacuous(self) -> Mask:
        """Where nothing is excluded, so that a check shows nothing. shape=(N,)"""
        lo, hi = self.allowed()
        return np.asarray((lo == -np.inf) & (hi == np.inf), dtype=np.bool_)

    def contains(self, observed: Array) -> Mask:
        """Where `observed` is a value a covered implementation may have left. shape=(N,)"""
        return reading.contains(self, observed)

    def margin(self, observed: Array) -> Array:
        """The share of the enclosure used: 0 at its centre, 1 at its last admissible value, above 1 outside.

        Measured to the bound before the store's rounding, or to the value it rounds to, whichever is farther.
        """
        return reading.margin(self, observed)

    def widened(self, rounded: Enclosure, real: Enclosure) -> Enclosure:
        """This real value with whatever rounding may add to it: all of `rounded` - `real`, to be stored like `rounded`.

        `rounded` encloses what implementations of a rule compute, `real` the rule's real value.
        """
        lo, hi = reading.hull_bounds(rounded)
        with np.errstate(all="ignore"):
            lo, hi = interval.outward(self.lo + (lo - real.hi), self.hi + (hi - real.lo))
        return Enclosure(lo, hi, rounded.fmt, nan=either(either(self.nan, rounded.nan), real.nan), kind=SUM, rounds=1)


Operand = Enclosure | float | int | Fraction


def _lift(value: Operand, fmt: Format | None) -> Enclosure:
    return value if isinstance(value, Enclosure) else Enclosure.number(value, fmt)


def _format(a: Enclosure, b: Enclosure) -> Format | None:
    if a.fmt is not None and b.fmt is not None and a.fmt is not b.fmt:
        raise ValueError(f"cannot combine values of {a.fmt.name} and {b.fmt.name}")
    return a.fmt or b.fmt
