"""The finite sets of gradients that penalty and weight_decay may compute, from exact rational arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.floats import FORMATS, Array, Format


def nearest(x: Fraction, fmt: Format) -> float:
    """The value of `fmt` nearest to the rational `x`, ties to even: one correct rounding, whatever `x` is."""
    if x == 0:
        return 0.0
    magnitude = abs(x)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if Fraction(2) ** exponent > magnitude:
        exponent -= 1
    spacing = Fraction(2) ** (max(exponent, fmt.emin) - fmt.precision + 1)
    rounded = float(round(magnitude / spacing) * spacing) if exponent <= fmt.emax else math.inf
    return math.copysign(math.inf if rounded > fmt.largest else rounded, 1.0 if x > 0 else -1.0)


def admissible(g: Sequence[float], w: Sequence[float], decay: float, fmt: Format) -> list[tuple[float, ...]]:
    """Per element, the gradients that `g + decay * w` may come out as, for a double `decay` and one format.

    The factor may be rounded to the format or not, the product may be rounded or not (fma): one to four values.
    """
    exact = Fraction(decay)
    factors = {exact, Fraction(nearest(exact, fmt))}
    if fmt.precision < 24:
        factors.add(Fraction(nearest(exact, FORMATS["float32"])))  # 16-bit kernels compute in fp32
    table = []
    for a, b in zip(g, w, strict=True):
        found: dict[float, None] = {}
        for factor in sorted(factors):
            product = factor * Fraction(b)
            for term in (Fraction(nearest(product, fmt)), product):
                found[nearest(Fraction(a) + term, fmt)] = None
        table.append(tuple(found))
    return table


def representable(w: Array, lam: float, fmt: Format) -> NDArray[np.bool_]:
    """Where 2*lam*w is a value of the format: the hypothesis of the theorem. shape=(elements,)"""
    products = [2 * Fraction(lam) * Fraction(float(x)) for x in w]
    return np.array([Fraction(nearest(p, fmt)) == p for p in products])
