"""Which sums of two terms are averages: b*x + (1 - b)*y, where x or y may have a scalar factor of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import sympy
from sympy import Expr, Rational

from verifier.equality import witness
from verifier.rule import t

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
        if _is_one(inlined(p * b) + inlined(q * w)):
            return Average(p * b, q * w, p * x, q * y, False)
    return None


def _scaled(one: Term, other: Term, inlined: Callable[[Expr], Expr]) -> Average | None:
    (b, x), (w, y) = one, other
    if x == 1 or y == 1 or not isinstance(w, sympy.Mul):
        return None
    for factor in w.args:
        if not factor.is_number and _is_one(inlined(b) + inlined(factor)):
            return Average(b, factor, x, w / factor * y, True)
    return None


def _is_one(e: Expr) -> bool:
    """Whether a scalar is 1 for all values: at a point first, as expanding what is not takes a tenth of a second."""
    symbols = sorted(e.free_symbols, key=str)
    early = {s: Rational(1, 3 + n) for n, s in enumerate(symbols)}
    late = {s: Rational(99) if s == t else 1 - Rational(1, 997 + n) for n, s in enumerate(symbols)}
    for point in (early, late):  # an average of many steps, as of RAdam, has its numbers late
        with contextlib.suppress(witness.Undecidable, TypeError):  # no number here, or a function it has none for
            if witness.evaluate(e, point) != 1:
                return False
            break
    return bool(sympy.expand(e - 1) == 0)
