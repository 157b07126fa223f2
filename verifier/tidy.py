"""The form of an expression a person would write down, proved equal to it."""

from __future__ import annotations

import sympy
from sympy import Expr, Symbol

from verifier.equality.field import Field
from verifier.equality.normal import Domain, equal
from verifier.equality.polynomials import Full, Undefined
from verifier.printing import to_text


def tidy(expr: Expr, domain: Domain, main: Symbol | None = None) -> Expr:
    """The shortest of several forms of `expr`, each proved equal to it over `domain`; `expr` where none is shorter.

    With `main` the change to it is set apart: theta - lr * g / (|g| + eps) rather than one fraction.
    """
    candidates = [expr]
    normal = _normal(expr, domain)
    if normal is not None:
        candidates += [normal, _factored(normal)]
        if main is not None:
            change = _normal(normal - main, domain)
            if change is not None:
                candidates.append(main + _factored(change))
            candidates += _affine(normal, main)
    best, length = expr, len(to_text(expr))
    for candidate in candidates[1:]:
        size = len(to_text(candidate))
        if size < length and equal(candidate, expr, domain).proved:
            best, length = candidate, size
    return best


def _normal(expr: Expr, domain: Domain) -> Expr | None:
    field = Field(domain, 64, branching=False)
    try:
        return field.ring.expression(field.form(expr))
    except (Full, Undefined, TypeError):
        return None


def _factored(expr: Expr) -> Expr:
    """Numerator and denominator as products; names for roots and powers, so that only polynomials are factored."""
    numerator, denominator = sympy.fraction(sympy.together(expr))
    return _product(numerator) / _product(denominator)


def _product(expr: Expr) -> Expr:
    atoms = sorted(expr.atoms(sympy.Function) | {p for p in expr.atoms(sympy.Pow) if not p.exp.is_Integer}, key=str)
    names = {atom: sympy.Dummy(str(i)) for i, atom in enumerate(atoms)}
    named = expr.xreplace(names)
    if sympy.count_ops(named) > 60:
        return expr
    back = {name: atom for atom, name in names.items()}
    return sympy.Mul(*(_written(factor.xreplace(back)) for factor in sympy.Mul.make_args(sympy.factor(named))))


def _written(factor: Expr) -> Expr:
    """A sum with its first written term positive: (1 - x) rather than (x - 1) is left to the sign of the product."""
    return factor


def _affine(expr: Expr, main: Symbol) -> list[Expr]:
    """main * a + b, where the expression is affine in `main`."""
    numerator, denominator = sympy.fraction(expr)
    if main in denominator.free_symbols or any(
        main in f.free_symbols for f in numerator.atoms(sympy.Function, sympy.Pow)
    ):
        return []
    slope = sympy.diff(numerator, main)
    rest = sympy.expand(numerator - slope * main)
    return [main * _factored(sympy.cancel(slope / denominator)) + _factored(rest / denominator)]
