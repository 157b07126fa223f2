"""Exact evaluation of expressions at rational points: rational arithmetic, balls of 256 bits where there are roots."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import flint
import sympy
from sympy import Expr, Rational, Symbol
from sympy.logic.boolalg import ITE, And, BooleanFalse, BooleanTrue, Not, Or

from verifier.equality.polynomials import Range

BITS = 256
Value = Any  # flint.fmpq while every operation is rational, else flint.arb


NO_NUMBERS = frozenset({sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I})
"""What sympy makes of a division by zero, or of the root of a negative number."""


class Undecidable(Exception):
    """No certain value at this point: a division by zero, an even root of a negative number, a comparison too near."""


def evaluate(expr: Expr, point: Mapping[Symbol, Rational]) -> Value:
    """The value of `expr` at a rational point: exact where it is rational, else a ball that contains it."""
    known: dict[Expr, Value] = {s: flint.fmpq(int(v.p), int(v.q)) for s, v in point.items()}
    with flint.ctx.workprec(BITS):
        return _value(expr, known)


def _value(expr: Expr, known: dict[Expr, Value]) -> Value:
    found = known.get(expr)
    if found is None:
        found = known[expr] = _compute(expr, known)
    return found


def _compute(expr: Expr, known: dict[Expr, Value]) -> Value:
    if isinstance(expr, Rational):
        return flint.fmpq(int(expr.p), int(expr.q))
    if expr in NO_NUMBERS:
        raise Undecidable(f"{expr} is no real number")
    if isinstance(expr, sympy.Float):
        exact = Fraction(float(expr))
        return flint.fmpq(exact.numerator, exact.denominator)
    if isinstance(expr, Symbol):
        raise KeyError(f"the point gives {expr} no value")
    if isinstance(expr, sympy.Piecewise):
        for value, guard in expr.args:
            if _holds(guard, known):
                return _value(value, known)
        raise Undecidable(f"no branch of {expr} applies")
    values = [_value(arg, known) for arg in expr.args]
    if isinstance(expr, sympy.Add):
        return sum(values[1:], values[0])
    if isinstance(expr, sympy.Mul):
        total = values[0]
        for value in values[1:]:
            total = total * value
        return total
    if isinstance(expr, sympy.Pow):
        return _power(values[0], values[1])
    if isinstance(expr, sympy.Abs):
        return abs(values[0])
    if isinstance(expr, sympy.sign):
        return flint.fmpq(_sign(values[0]))
    if isinstance(expr, sympy.Max | sympy.Min):
        best = values[0]
        for value in values[1:]:
            sign = _sign(value - best)
            if sign == (1 if isinstance(expr, sympy.Max) else -1):
                best = value
        return best
    if isinstance(expr, sympy.exp | sympy.log):
        ball = _ball(values[0])
        result = ball.exp() if isinstance(expr, sympy.exp) else ball.log()
        return _certain(result)
    raise TypeError(f"{expr} ({type(expr).__name__}) cannot be evaluated")


def _power(base: Value, exponent: Value) -> Value:
    if not isinstance(exponent, flint.fmpq):
        return _certain(_ball(base) ** exponent)
    if exponent.q == 1:
        if int(exponent.p) < 0 and _sign(base) == 0:
            raise Undecidable("division by zero")
        if isinstance(base, flint.fmpq) and abs(int(exponent.p)) < 4096:
            return base ** int(exponent.p)
        return _certain(_ball(base) ** flint.arb(exponent.p))
    if _sign(base) == 0:
        if exponent > 0:
            return flint.fmpq(0)
        raise Undecidable("division by zero")
    if _sign(base) < 0:
        raise Undecidable("root of a negative number")
    root = _rational_root(base, int(exponent.q)) if isinstance(base, flint.fmpq) else None
    if root is not None:
        return root ** int(exponent.p)
    return _certain(_ball(base) ** flint.arb(exponent))


def _rational_root(base: Any, order: int) -> Any | None:
    if int(base.p).bit_length() > 4096:
        return None
    parts = []
    for part in (int(base.p), int(base.q)):
        root, exact = sympy.integer_nthroot(part, order)
        if not exact:
            return None
        parts.append(int(root))
    return flint.fmpq(*parts)


def _ball(value: Value) -> Any:
    return flint.arb(value) if isinstance(value, flint.fmpq) else value


def _certain(value: Any) -> Any:
    if not value.is_finite():
        raise Undecidable("not a finite number")
    return value


def _sign(value: Value) -> int:
    """The sign of a value; Undecidable where its ball holds zero."""
    if isinstance(value, flint.fmpq):
        return (value > 0) - (value < 0)
    if value > 0:
        return 1
    if value < 0:
        return -1
    raise Undecidable("a ball that holds zero has no certain sign")


def _holds(guard: sympy.Basic, known: dict[Expr, Value]) -> bool:
    if isinstance(guard, BooleanTrue | BooleanFalse):
        return bool(guard)
    if isinstance(guard, And):
        return all(_holds(arg, known) for arg in guard.args)
    if isinstance(guard, Or):
        return any(_holds(arg, known) for arg in guard.args)
    if isinstance(guard, Not):
        return not _holds(guard.args[0], known)
    if isinstance(guard, ITE):
        return _holds(guard.args[1 if _holds(guard.args[0], known) else 2], known)
    sign = _sign(_value(guard.lhs, known) - _value(guard.rhs, known))
    return COMPARISONS[type(guard)](sign)


COMPARISONS: dict[type, Callable[[int], bool]] = {
    sympy.StrictGreaterThan: lambda sign: sign > 0,
    sympy.GreaterThan: lambda sign: sign >= 0,
    sympy.StrictLessThan: lambda sign: sign < 0,
    sympy.LessThan: lambda sign: sign <= 0,
    sympy.Equality: lambda sign: sign == 0,
    sympy.Unequality: lambda sign: sign != 0,
}


def difference(left: Expr, right: Expr, point: Mapping[Symbol, Rational]) -> Value:
    """left - right at a point, by one evaluation of what they share."""
    known: dict[Expr, Value] = {s: flint.fmpq(int(v.p), int(v.q)) for s, v in point.items()}
    with flint.ctx.workprec(BITS):
        return _value(left, known) - _value(right, known)


def meets(guards: Iterable[sympy.Basic], point: Mapping[Symbol, Rational]) -> bool:
    """Whether every guard certainly holds at a point; Undecidable where one is too near to tell."""
    known: dict[Expr, Value] = {s: flint.fmpq(int(v.p), int(v.q)) for s, v in point.items()}
    with flint.ctx.workprec(BITS):
        return all(_holds(guard, known) for guard in guards)


def certified_sign(value: Value) -> int | None:
    """-1, 0 or 1 where it is certain, else None: a ball around zero is not zero."""
    if isinstance(value, flint.fmpq):
        return int(value > 0) - int(value < 0)
    return 1 if value > 0 else -1 if value < 0 else None


def shown(value: Value) -> str:
    """A value as people read it: a fraction, or twelve digits of a ball."""
    if isinstance(value, flint.fmpq):
        text = str(value)
        return text if len(text) <= 24 else str(flint.arb(value).str(12, radius=False))
    return str(value.str(12, radius=False))


def points(
    symbols: list[Symbol], domain: Mapping[Symbol, sympy.Set], seed: int = 20240607
) -> Iterator[dict[Symbol, Rational]]:
    """An endless run of rational points of the domain, small fractions first, the same on every machine."""
    source = random.Random(seed)
    ranges = [(s, Range.of_symbol(s, domain)) for s in sorted(symbols, key=str)]
    size = 4
    while True:
        yield {s: _draw(source, s, values, size) for s, values in ranges}
        size = min(size + 1, 64)


def _draw(source: random.Random, symbol: Symbol, values: Range, size: int) -> Rational:
    if values.low is not None and values.high is not None and values.low == values.high:
        return Rational(values.low)
    far = source.random() < 0.25  # thresholds are often met only near an end, or after many steps
    if symbol.is_integer:
        low = 1 if values.low is None else int(values.low)
        return Rational(source.randint(low, low + (40 if far else 4)))
    if values.low is not None and values.high is not None:
        share = 1 - Fraction(1, source.randint(20, 200)) if far else Fraction(source.randint(1, size - 1), size)
        return Rational(values.low + (values.high - values.low) * share)
    step = Fraction(source.randint(1, 4 * size), source.randint(1, size)) * (100 if far else 1)
    if values.low is not None:
        return Rational(values.low + step)
    if values.high is not None:
        return Rational(values.high - step)
    return Rational(step if source.random() < 0.5 else -step)
