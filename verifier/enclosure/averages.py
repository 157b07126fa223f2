"""Which sums of two terms are averages: b*x + (1 - b)*y, where x or y may have a scalar factor of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import sympy
from sympy import Expr

Term = tuple[Expr, Expr]
"""The scalar factors of a term, and the rest."""


class Average(NamedTuple):
    """b*x + w*y with w = 1 - b. `scaled`: a scalar of the term was taken to x or y, where code may as well leave it."""

    b: Expr
    w: Expr
    x: Expr
    y: Expr
    scaled: bool


def average(one: Term, other: Term, inlined: Callable[[Expr], Expr]) -> Average | None:
    """The two terms as an average, if their scalars add to 1, or one of them and a factor of the other do.

    `inlined` gives a scalar in terms of the inputs.
    """
    found = _plain(one, other, inlined) or _scaled(one, other, inlined) or _scaled(other, one, inlined)
    if found is not None and found.b.func is sympy.Add:  # the coefficient written 1 - b goes with y
        found = Average(found.w, found.b, found.y, found.x, found.scaled)
    return found


def _plain(one: Term, other: Term, inlined: Callable[[Expr], Expr]) -> Average | None:
    (b, x), (w, y) = one, other
    if x == 1 or y == 1:
        return None
    for p, q in ((1, 1), (1, -1), (-1, 1)):  # sympy folds the sign of -(1 - b)*y into the coefficient
        if sympy.expand(inlined(p * b) + inlined(q * w) - 1) == 0:
            return Average(p * b, q * w, p * x, q * y, False)
    return None


def _scaled(one: Term, other: Term, inlined: Callable[[Expr], Expr]) -> Average | None:
    (b, x), (w, y) = one, other
    if x == 1 or y == 1 or not isinstance(w, sympy.Mul):
        return None
    for factor in w.args:
        if not factor.is_number and sympy.expand(inlined(b) + inlined(factor) - 1) == 0:
            return Average(b, factor, x, w / factor * y, True)
    return None
