"""The scalars of a step (learning rates, bias corrections, kept scalars) under the ways implementations compute them.

A scalar is known twice: `fine`, as the code that computes it holds it, and `coarse`, as a tensor operation may read it.
For-loop code computes in double and rounds once, where the scalar meets a tensor; kernels that take float arguments
round every hyperparameter first and compute in float. 1 - beta2 differs by hundreds of roundoffs between the two, so
they are separate profiles, never one interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from verifier.enclosure import interval, rewrites
from verifier.enclosure.computed import Enclosure
from verifier.enclosure.reading import Mask, either
from verifier.floats import BF16, FP16, FP32, FP64, Format


@dataclass(frozen=True)
class Profile:
    """How scalars are computed.

    `arithmetic` is the format they are computed in, `held` the format a kept scalar is stored in between steps (None:
    the tensors' own); `kept` is the format kept scalars are computed in where that is not `arithmetic`, and `counts`
    the format of what depends on the number of the step. `lerps`: an average b*x + (1 - b)*y is formed of a rounded b.
    """

    name: str
    arithmetic: Format | None
    held: Format | None
    says: str
    kept: Format | None = None
    counts: Format | None = None
    lerps: bool = False


_ALL = (
    Profile("each", FP64, FP32, "scalars in double, rounded where they meet a tensor; kept scalars in float32"),
    Profile("single", FP64, FP32, "as each, but kept scalars computed in float32 (torch's foreach ASGD)", kept=FP32),
    Profile("wide", FP64, FP64, "scalars in double, kept scalars in double (torch with a float64 default dtype)"),
    Profile("consistent", FP32, FP32, "hyperparameters rounded to float32 first, scalars in float32 (fused on CUDA)"),
    Profile("counted", FP64, FP32, "as each, but float32 where the number of the step enters", counts=FP32),
    Profile("lerped", FP64, FP32, "as each, but lerp from the new to the old: 1 - b of a b rounded first", lerps=True),
    Profile("low", None, None, "hyperparameters rounded to the tensor's format first, scalars in that format"),
)

PROFILES: dict[str, Profile] = {p.name: p for p in _ALL}
"""By name; `each` is what torch.optim does on CPU."""


def profiles(fmt: Format, held: bool = True, counted: bool = False, lerps: bool = False) -> tuple[str, ...]:
    """The names of the profiles that differ for tensors of `fmt`, likeliest first; `held`: the rule keeps scalars.

    `counted`: the steps may be counted in a float32 tensor, which the bias corrections are computed from; `lerps`:
    averages may be formed by lerp from the new value to the old.
    """
    names = ["each", *(["single", "wide"] if held else [])]
    if fmt is not FP64:
        names.append("consistent")
    if counted:
        names.append("counted")
    if lerps and fmt is not FP64:
        names.append("lerped")
    if fmt in (BF16, FP16):
        names.append("low")
    return tuple(names)


@dataclass(frozen=True)
class Setting:
    """What scalar arithmetic is done in: the tensors' format, the scalars' own, and the format kept scalars have.

    All None for real arithmetic.
    """

    fmt: Format | None
    arithmetic: Format | None
    held: Format | None
    kept: Format | None = None
    counts: Format | None = None
    lerps: bool = False

    @classmethod
    def of(cls, fmt: Format, profile: str, real: bool) -> Setting:
        if real:
            return cls(None, None, None)
        p = PROFILES[profile]
        return cls(fmt, p.arithmetic or fmt, p.held or fmt, p.kept, p.counts, p.lerps)

    def given(self, values: Any) -> Scalar:
        """A hyperparameter: a double, which a profile may round before anything is computed from it."""
        fine = Enclosure.exact(values, self.arithmetic)
        if self.arithmetic is not None and self.arithmetic is not FP64:
            point = interval.nearest(self.arithmetic, fine.lo)
            fine = Enclosure(point, point, self.arithmetic)
        return Scalar(self, fine)

    def known(self, values: Any) -> Scalar:
        """A value no profile rounds: a kept scalar as it was read."""
        return Scalar(self, Enclosure.exact(values, self.arithmetic))

    def counted(self, values: Any) -> Scalar:
        """The number of the step, which is exact, in the format it is counted in."""
        if self.counts is None:
            return self.known(values)
        return Setting(self.fmt, self.counts, self.held).known(values)

    def number(self, p: int, q: int) -> Scalar:
        """A constant of the formula."""
        exact = Enclosure.number(Fraction(p, q), self.arithmetic)
        if self.arithmetic is not None and not exact.is_point:  # written in the source: rounded to double at least
            exact = Enclosure(exact.lo, exact.hi, self.arithmetic, kind="sum").settled()
        return Scalar(self, exact)


class Scalar:
    """A value all elements share, or one an element when groups differ; see the module's first paragraph."""

    __slots__ = ("_coarse", "fine", "setting")

    def __init__(self, setting: Setting, fine: Enclosure, coarse: Enclosure | None = None) -> None:
        self.setting = setting
        self.fine = fine
        self._coarse = coarse

    @property
    def coarse(self) -> Enclosure:
        """What a tensor operation may read: `fine`, or that rounded to the tensors' format."""
        if self._coarse is None:
            fmt = self.setting.fmt
            if fmt is self.setting.arithmetic:
                self._coarse = self.fine
                self.fine.scalar = True
            else:
                assert fmt is not None
                a = self.fine.settled()
                lo, hi = interval.convert(a.lo, a.hi, interval.base_dtype(fmt))
                low, high = interval.both_roundings(fmt, lo, hi)
                if fmt is FP64:  # folded with another scalar, that one and the product were rounded to float32 too
                    more = [end * factor for end in (low, high) for factor in ((1 - FP32.u) ** 2, (1 + FP32.u) ** 2)]
                    low, high = np.minimum.reduce(more), np.maximum.reduce(more)
                if np.array_equal(low, high):
                    high = low
                self._coarse = Enclosure(low, high, fmt, nan=a.nan)
                self._coarse.scalar = True
        return self._coarse

    def _inverse(self) -> Enclosure:
        """1 over the scalar as a factor of a tensor: a divisor as it is met, or its reciprocal rounded."""
        a = self.setting.arithmetic
        folded = Scalar(self.setting, Enclosure.number(1, a) / self.fine).coarse.settled()
        met = (Enclosure.number(1, self.setting.fmt) / self.coarse).settled()
        lo, hi = np.minimum(folded.lo, met.lo), np.maximum(folded.hi, met.hi)
        inverse = Enclosure(lo, hi, self.setting.fmt, nan=either(folded.nan, met.nan))
        inverse.scalar = True
        return inverse

    def _product(self, other: Scalar, divide: bool) -> Scalar:
        """Factors may be folded in double or met one by one by the tensor, so `coarse` keeps them apart."""
        self, other = self._met(other)
        fine = self.fine / other.fine if divide else self.fine * other.fine
        fmt, arithmetic = self.setting.fmt, self.setting.arithmetic
        if fmt is None or (fmt is FP64 and arithmetic is FP32):  # rounded to float32, so not met factor by factor
            return Scalar(self.setting, fine)
        return Scalar(self.setting, fine, self.coarse * (other._inverse() if divide else other.coarse))

    def _met(self, other: Scalar) -> tuple[Scalar, Scalar]:
        """Both in the format they are computed with: that of the one which comes from the number of the step."""
        here, there = self.setting, other.setting
        if here.arithmetic is there.arithmetic:
            return self, other
        if there.counts is not None:
            return self, other.narrowed(here)
        return self.narrowed(there), other

    def __add__(self, other: Scalar) -> Scalar:
        self, other = self._met(other)
        return Scalar(self.setting, self.fine + other.fine)

    def __mul__(self, other: Scalar) -> Scalar:
        return self._product(other, divide=False)

    def __truediv__(self, other: Scalar) -> Scalar:
        return self._product(other, divide=True)

    def __neg__(self) -> Scalar:
        return Scalar(self.setting, -self.fine, None if self._coarse is None else -self._coarse)

    def __abs__(self) -> Scalar:
        return Scalar(self.setting, abs(self.fine))

    def __pow__(self, exponent: int) -> Scalar:
        result = self
        for _ in range(exponent - 1):
            result = result * self
        return result

    def power(self, exponent: Scalar) -> Scalar:
        """pow of the platform: within an ulp in double (glibc, CUDA's documentation), 4 in float (CUDA's powf)."""
        self, exponent = self._met(exponent)
        ulps = 1.0 if self.setting.arithmetic is FP64 else 4.0
        return Scalar(self.setting, self.fine.power(exponent.fine, ulps))

    def sqrt(self) -> Scalar:
        """The root of the scalar, or of the scalar already rounded: sqrt(v/c) divides by a rounded c first."""
        a = self.fine.settled()
        nan = a.nan if (a.lo >= 0).all() else a.lo < 0
        fine = Enclosure(*interval.root(a.lo, a.hi), a.fmt, nan=nan, kind="sum", rounds=1)
        if self.setting.fmt is self.setting.arithmetic:
            return Scalar(self.setting, fine)
        once = Scalar(self.setting, fine).coarse
        rounded = Scalar(self.setting, self.fine.settled()).coarse
        twice = Enclosure(*interval.root(rounded.lo, rounded.hi), once.fmt, nan=nan, kind="sum", rounds=1).settled()
        lo, hi = np.minimum(once.lo, twice.lo), np.maximum(once.hi, twice.hi)
        return Scalar(self.setting, fine, Enclosure(lo, hi, once.fmt, nan=nan))

    def maximum(self, other: Scalar) -> Scalar:
        self, other = self._met(other)
        return Scalar(self.setting, self.fine.maximum(other.fine))

    def minimum(self, other: Scalar) -> Scalar:
        self, other = self._met(other)
        return Scalar(self.setting, self.fine.minimum(other.fine))

    def select(self, condition: Mask, other: Scalar) -> Scalar:
        """`self` where `condition` holds, `other` elsewhere."""
        if condition.all():
            return self
        if not condition.any():
            return other
        self, other = self._met(other)
        fine = rewrites.select(condition, self.fine, other.fine)
        return Scalar(self.setting, fine, rewrites.select(condition, self.coarse, other.coarse))

    def hold(self) -> Scalar:
        """The scalar after it was stored where the optimizer keeps it."""
        held = self.setting.held
        if held is None:
            return self
        a = self.fine.final()
        if held is self.setting.arithmetic:
            lo, hi = a.settled().lo, a.settled().hi
        else:
            settled = self.fine.settled()
            lo, hi = interval.nearest(held, settled.lo), interval.nearest(held, settled.hi)
        point = lo if np.array_equal(lo, hi) else hi
        return Scalar(self.setting, Enclosure(lo, point, self.setting.arithmetic, nan=a.nan))

    def narrowed(self, setting: Setting) -> Scalar:
        """The scalar as an operand of arithmetic in a narrower format: rounded to it, or not."""
        assert setting.arithmetic is not None
        a = Scalar(Setting(setting.arithmetic, self.setting.arithmetic, self.setting.held), self.fine).coarse
        return Scalar(setting, a)

    def reciprocal_times(self, other: Scalar) -> Scalar:
        """self / other as torch divides a number by a tensor: the reciprocal is rounded before it is multiplied."""
        quotient = self / other
        e = quotient.fine
        if e.kind == "product":
            e = Enclosure(e.lo, e.hi, e.fmt, nan=e.nan, kind=e.kind, rounds=e.rounds + 1, factors=e.factors)
        return Scalar(self.setting, e)

    @staticmethod
    def hold_product(factors: list[Scalar]) -> Scalar:
        """A kept scalar multiplied in place: each factor is rounded to its format, and the product again."""
        result = factors[0].hold()
        for factor in factors[1:]:
            result = (result * factor.hold()).hold()
        return result

    def __getitem__(self, which: slice) -> Scalar:
        """The scalar for some of the elements."""
        if len(self.fine) == 1:
            return self
        return Scalar(self.setting, self.fine[which], self.coarse[which])


def one_value(values: Any) -> Any:
    """`values` as an array of shape (1,) where they are all the same, else as given. shape=(N,)"""
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    first = array[:1]
    same = array.size > 0 and bool(np.all((array == first) | (np.isnan(array) & math.isnan(first[0]))))
    return first.copy() if same else array
