"""Elementary operations rounded as a correct kernel may round them, on arrays of every dtype torch optimizers use.

fp64 arrays are float64; fp32 arrays float32; bf16 and fp16 values are carried in float32 without loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Values = Any  # numpy array of float64 or float32

CARRIER: dict[torch.dtype, Any] = {
    torch.float64: np.float64,
    torch.float32: np.float32,
    torch.bfloat16: np.float32,
    torch.float16: np.float32,
}
"""The numpy type that holds a torch dtype's values."""

HALF = (torch.bfloat16, torch.float16)


def carried(tensor: torch.Tensor) -> Values:
    """A tensor's values in the numpy type that carries its dtype. shape=tensor.shape"""
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype in HALF else tensor).numpy().copy()


def to_dtype(x: Values, dtype: torch.dtype) -> Values:
    """Values rounded to a dtype, to nearest, ties to even; from float64 in one rounding."""
    with np.errstate(all="ignore"):
        if dtype == torch.float64:
            return np.asarray(x, dtype=np.float64)
        if dtype == torch.float32:
            return np.asarray(x).astype(np.float32)
        if dtype == torch.float16:
            return np.asarray(x).astype(np.float16).astype(np.float32)
        return _bfloat16(x)


def _bfloat16(x: Values) -> Values:
    """Rounded to bfloat16; from float64 through a float32 rounded to odd, which loses no tie."""
    narrow = _to_odd_float32(x) if np.asarray(x).dtype == np.float64 else np.asarray(x)
    bits = narrow.view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(narrow), np.float32(np.nan), rounded.view(np.float32))


def _to_odd_float32(x: Values) -> Values:
    """float64 to float32, an inexact result with its last bit set (rounding to odd)."""
    near = np.asarray(x).astype(np.float32)
    back = near.astype(np.float64)
    down = np.where(np.abs(back) > np.abs(x), np.nextafter(near, np.float32(0)), near)  # toward zero
    inexact = (down.astype(np.float64) != x) & np.isfinite(x)
    return np.where(inexact, (down.view(np.uint32) | 1).view(np.float32), down).astype(np.float32)


def two_sum(a: Values, b: Values) -> tuple[Values, Values]:
    """a + b rounded, and the exact rest (Knuth)."""
    s = a + b
    bb = s - a
    return s, (a - (s - bb)) + (b - bb)


def two_product(a: Values, b: Values) -> tuple[Values, Values]:
    """a * b in float64 rounded, and the exact rest (Veltkamp, Dekker); no overflow or underflow assumed."""
    p = a * b
    ah, al = _halves(a)
    bh, bl = _halves(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def _halves(a: Values) -> tuple[Values, Values]:
    c = a * 134217729.0  # 2^27 + 1
    high = c - (c - a)
    return high, a - high


def _odd_sum(a: Values, b: Values) -> Values:
    """a + b in float64 rounded to odd: an inexact result gets its last bit set."""
    s, rest = two_sum(a, b)
    bits = s.view(np.int64)
    toward = np.where((rest > 0) == (s > 0), bits, bits - 1)  # truncation: back off where rounding went outwards
    return np.where((rest != 0) & np.isfinite(s) & np.isfinite(rest), (toward | 1).view(np.float64), s)


def fma(a: Values, b: Values, c: Values) -> Values:
    """a*b + c with one rounding, in the carrier's own precision (Boldo and Melquiond 2008)."""
    a, b, c = np.broadcast_arrays(a, b, c)
    with np.errstate(all="ignore"):
        if a.dtype == np.float32:
            product = a.astype(np.float64) * b.astype(np.float64)  # exact: 48 bits
            exact = _odd_sum(product, c.astype(np.float64))
            return np.where(np.isfinite(exact), exact, product + c.astype(np.float64)).astype(np.float32)
        uh, ul = two_product(a, b)
        th, tl = two_sum(c, ul)
        vh, vl = two_sum(uh, th)
        result = vh + _odd_sum(tl, vl)
        plain = a * b + c
        return np.where(_ordinary(a, b, c, uh), result, plain)


def _ordinary(a: Values, b: Values, c: Values, product: Values) -> Values:
    """Where no intermediate of the float64 algorithm over- or underflows, and nothing is zero."""
    inside = np.ones(np.shape(product), dtype=bool)
    for x in (a, b):
        inside &= (np.abs(x) < 2.0**480) & (np.abs(x) > 2.0**-480)
    return inside & (np.abs(product) > 2.0**-900) & (np.abs(product) < 2.0**900) & (np.abs(c) < 2.0**900)


@dataclass(frozen=True)
class Level:
    """Arithmetic in which every result is rounded to `dtype`; inputs are in the carrier of `compute`."""

    compute: torch.dtype  # the precision operations run in: float64 or float32
    dtype: torch.dtype  # what every result is rounded to

    def enter(self, x: Values) -> Values:
        """Values brought to the precision this level computes in."""
        return np.asarray(x).astype(CARRIER[self.compute])

    def _round(self, x: Values) -> Values:
        return x if self.dtype == self.compute else to_dtype(x, self.dtype)

    def add(self, a: Values, b: Values) -> Values:
        """a + b."""
        return self._round(a + b)

    def sub(self, a: Values, b: Values) -> Values:
        """a - b."""
        return self._round(a - b)

    def mul(self, a: Values, b: Values) -> Values:
        """a * b."""
        return self._round(a * b)

    def div(self, a: Values, b: Values) -> Values:
        """a / b."""
        return self._round(a / b)

    def fma(self, a: Values, b: Values, c: Values) -> Values:
        """a * b + c in one rounding."""
        return self._round(fma(a, b, c))

    def sqrt(self, a: Values) -> list[Values]:
        """The root within one ulp: three neighbours."""
        root = np.sqrt(a)
        zero, infinity = np.asarray(0, root.dtype), np.asarray(np.inf, root.dtype)
        around = [root, np.nextafter(root, zero), np.nextafter(root, infinity)]
        # root * root rounds to `a` for many roots that are not exact; the remainder, rounded once, tells them apart
        exact = (root == 0) | ~np.isfinite(root) | (fma(root, root, -a) == 0)
        return [self._round(np.where(exact, root, r)) for r in around]


def levels(dtype: torch.dtype) -> list[Level]:
    """The precisions a kernel for `dtype` may compute in: the dtype's own, its opmath type, double."""
    if dtype == torch.float64:
        return [Level(torch.float64, torch.float64)]
    own = Level(torch.float32, dtype)
    if dtype == torch.float32:
        return [own, Level(torch.float64, torch.float64)]
    return [Level(torch.float32, torch.float32), own]


def scalars(value: float, dtype: torch.dtype, level: Level) -> list[Values]:
    """What a Python number may be when a kernel uses it at `level`: in full, or rounded to the tensor's dtype."""
    full = level.enter(np.float64(value))
    rounded = level.enter(to_dtype(np.float64(value), dtype))
    return [full] if np.array_equal(full, rounded, equal_nan=True) else [full, rounded]


def same_bits(a: Values, b: Values) -> Values:
    """Where two arrays hold the same bits; NaNs count as the same, +0 and -0 do not."""
    return ((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))
