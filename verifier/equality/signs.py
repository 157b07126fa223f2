"""The signs an expression can have, part by part as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import sympy
from sympy import Expr, Integer, Symbol

from verifier.equality.polynomials import ANY, Full, Quotient, Range, Split, Undefined


class Forms(Protocol):
    """What is asked of a field: its domain, normal forms, and the signs a normal form can have."""

    @property
    def domain(self) -> Mapping[Symbol, sympy.Set]: ...

    def form(self, expr: Expr) -> Quotient: ...

    def bounds(self, value: Quotient) -> frozenset[int]: ...


class Signs:
    """The signs of expressions over the domain of a field, whatever its cases assume."""

    def __init__(self, field: Forms) -> None:
        self.field = field

    def of(self, expr: Expr) -> frozenset[int]:
        """The signs an expression can have over the domain, part by part as written, then by its normal form.

        As written, a square is seen to be one; expanded, it no longer is.
        """
        parts = self._signs_as_written(expr)
        if len(parts) == 1 or not isinstance(expr, sympy.Add):
            return parts
        try:
            return parts & self.field.bounds(self.field.form(expr))
        except (Split, Full, Undefined):
            return parts

    def _signs_as_written(self, expr: Expr) -> frozenset[int]:
        if isinstance(expr, Symbol):
            return Range.of_symbol(expr, self.field.domain).sign
        if expr.is_Number:
            return frozenset({int(sympy.sign(expr))})
        if isinstance(expr, sympy.Abs):
            return frozenset(abs(s) for s in self.of(expr.args[0]))
        if isinstance(expr, sympy.Mul):
            total = frozenset({1})
            for arg in expr.args:
                total = frozenset(a * b for a in total for b in self.of(arg))
            return total
        if isinstance(expr, sympy.Pow):
            base = self.of(expr.base)
            if isinstance(expr.exp, Integer):
                return frozenset(s ** abs(int(expr.exp)) for s in base - ({0} if expr.exp < 0 else set()))
            if expr.exp.is_Rational or -1 not in base:
                return frozenset({1} if 0 not in base else {0, 1})
            return ANY
        if isinstance(expr, sympy.Add):
            each = [self.of(arg) for arg in expr.args]
            for sign in (1, -1):
                if not any(-sign in signs for signs in each):
                    return frozenset({sign}) if any(0 not in signs for signs in each) else frozenset({sign, 0})
            return self._below_one(expr)
        if isinstance(expr, sympy.Max | sympy.Min):
            best = max if isinstance(expr, sympy.Max) else min
            total = self.of(expr.args[0])
            for arg in expr.args[1:]:
                total = frozenset(best(a, b) for a in total for b in self.of(arg))
            return total
        if isinstance(expr, sympy.Piecewise):
            return frozenset(s for value, _ in expr.args for s in self.of(value))
        return ANY

    def _below_one(self, expr: Expr) -> frozenset[int]:
        """The signs of 1 - x*y*..., whose factors all lie in [0, 1]; of another sum nothing is said."""
        product = 1 - expr
        if not isinstance(product, sympy.Mul):
            return ANY
        strictly = False
        for factor in product.args:
            room = self.of(1 - (factor.base if isinstance(factor, sympy.Pow) else factor))
            if -1 in room or -1 in self.of(factor) or (isinstance(factor, sympy.Pow) and not factor.exp.is_positive):
                return ANY
            strictly |= 0 not in room
        return frozenset({1}) if strictly else frozenset({0, 1})
