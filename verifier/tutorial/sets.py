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


def dyadic(x: float) -> bool:
    """Whether `x` is a power of two, of either sign."""
    return abs(math.frexp(x)[0]) == 0.5


def total(x: Array, y: Array, fmt: Format) -> Array:
    """rn(x + y) for values of the format: rounding the double sum again is harmless, since 53 >= 2*24 + 2.

    Figueroa 1995, SIGNUM Newsletter 30(3): a format of q bits hides double rounding of one of p bits if q >= 2p + 2.
    """
    return fmt.round(x + y)


def admissible(g: Sequence[float], w: Sequence[float], decay: float, fmt: Format) -> list[tuple[float, ...]]:
    """Per element, the gradients that `g + decay * w` may come out as, for a double `decay` and one format.

    The factor may be rounded to the format or not, the product may be rounded or not (fma): one to four values.
    """
    if dyadic(decay) and representable(np.asarray(w, dtype=np.float64), decay / 2, fmt).all():
        terms = decay * np.asarray(w, dtype=np.float64)  # exact, so that fused and plain sums are the same
        return [(value,) for value in total(np.asarray(g, dtype=np.float64), terms, fmt).tolist()]
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
    if dyadic(lam):
        product = 2 * lam * w
        return np.asarray((fmt.round(product) == product) & (product / (2 * lam) == w))
    products = [2 * Fraction(lam) * Fraction(float(x)) for x in w]
    return np.array([Fraction(nearest(p, fmt)) == p for p in products])
