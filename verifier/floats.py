"""Float formats: unit roundoff, smallest subnormal, largest value, and distances in units in the last place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]
Array = NDArray[np.float64]
"""Values of any format up to fp64, carried as float64 without loss."""


@dataclass(frozen=True)
class Format:
    """A binary floating-point format with subnormals and round to nearest, ties to even (IEEE 754-2019, 3.3).

    `precision` counts significand bits with the hidden one; `emin` and `emax` bound the exponent of normal values.
    """

    name: str
    precision: int
    emin: int
    emax: int

    @property
    def u(self) -> float:
        """Unit roundoff 2^-p: the largest relative error of rounding to nearest."""
        return 2.0**-self.precision

    @property
    def tiny(self) -> float:
        """The smallest positive subnormal (eta)."""
        return 2.0 ** (self.emin - self.precision + 1)

    @property
    def smallest_normal(self) -> float:
        """The smallest positive normal value."""
        return 2.0**self.emin

    @property
    def largest(self) -> float:
        """The largest finite value."""
        return (2.0 - 2.0 ** (1 - self.precision)) * 2.0**self.emax

    def ulp(self, x: Array) -> Array:
        """The distance between neighbours at |x|, elementwise; at least the smallest subnormal; inf at inf."""
        _, exponent = np.frexp(np.abs(x))
        spacing = np.ldexp(1.0, np.maximum(exponent - self.precision, self.emin - self.precision + 1))
        spacing = np.where(np.asarray(x) == 0, self.tiny, spacing)
        return np.where(np.isfinite(x), spacing, np.inf)

    def round(self, x: Array) -> Array:
        """`x` rounded to this format, to nearest, ties to even; overflow goes to infinity. Shape kept."""
        x = np.asarray(x, dtype=np.float64)
        if self.precision == 53:
            return x.copy()
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            if self.name in ("float32", "float16"):  # the processor, and numpy, round to these just so
                return x.astype(self.name).astype(np.float64)
            spacing = self.ulp(x)
            rounded = np.where(np.isfinite(x), np.rint(x / spacing) * spacing, x)
            return np.where(np.abs(rounded) > self.largest, np.copysign(np.inf, x), rounded)

    def distance(self, x: Array, y: Array) -> Array:
        """How many steps of this format apart `x` and `y` are, elementwise (ulp); 0 for equal bits, inf with a NaN.

        +0 and -0 count as one step apart: they are different bits.
        """
        with np.errstate(invalid="ignore"):
            gap = np.abs(self._rank(x) - self._rank(y)).astype(np.float64)
            both_nan = np.isnan(x) & np.isnan(y)
            return np.where(both_nan, 0.0, np.where(np.isnan(x) | np.isnan(y), np.inf, gap))

    def _rank(self, x: Array) -> NDArray[np.object_] | Array:
        """The position of `x` among this format's values; fp64 ranks exceed 2^53, so they stay Python integers."""
        magnitude = np.abs(np.asarray(x, dtype=np.float64))
        if self.precision == 53:
            rank = magnitude.view(np.int64).astype(object)
        elif self.name == "float16":
            rank = magnitude.astype(np.float16).view(np.int16).astype(np.float64)
        else:  # bfloat16 is the upper half of float32
            rank = (magnitude.astype(np.float32).view(np.int32) >> (24 - self.precision)).astype(np.float64)
        return np.where(np.signbit(x), -rank - 1, rank)


FP64 = Format("float64", 53, -1022, 1023)
FP32 = Format("float32", 24, -126, 127)
BF16 = Format("bfloat16", 8, -126, 127)
FP16 = Format("float16", 11, -14, 15)

FORMATS: dict[str, Format] = {f.name: f for f in (FP64, FP32, BF16, FP16)}
"""By torch's name of the dtype, widest first."""


def same_bits(x: Array, y: Array) -> Mask:
    """Where `x` and `y` are the same value with the same sign of zero; two NaNs count as the same."""
    same: Mask = ((x == y) & (np.signbit(x) == np.signbit(y))) | (np.isnan(x) & np.isnan(y))
    return same
