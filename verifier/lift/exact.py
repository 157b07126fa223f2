"""The exact value of expressions at a rational point: rational arithmetic, balls of 256 bits where there are roots.

Enough for expressions too large for a normal form: an operation costs microseconds, however deep it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import flint

from verifier.equality.witness import BITS, Undecidable
from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.nodes import Odd

Value = Any  # flint.fmpq while every operation was rational, else flint.arb; bool for a condition

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": lambda a: a.exp(), "log": lambda a: a.log(), "sin": lambda a: a.sin(), "cos": lambda a: a.cos(),
    "tanh": lambda a: a.tanh(), "atan": lambda a: a.atan(), "erf": lambda a: a.erf(),
}  # fmt: skip


def exact(roots: Iterable[Node], point: Mapping[Node, Fraction]) -> list[Value]:
    """The value of each root; Undecidable names what has no certain value at this point."""
    roots = list(roots)
    known: dict[Node, Value] = {}
    with flint.ctx.workprec(BITS):
        for node in expr.postorder(roots):
            known[node] = _value(node, known, point)
    if broken := next((known[r] for r in roots if isinstance(known[r], Undecidable)), None):
        raise broken
    return [known[r] for r in roots]


def apart(a: Value, b: Value) -> bool:
    """Whether two values certainly differ; where neither is a ball, False says that they are equal."""
    with flint.ctx.workprec(BITS):
        gap = a - b
        return bool(gap != 0) if isinstance(gap, flint.fmpq) else not gap.contains(0)


def shown(value: Value) -> str:
    """A value as a person reads it: a short fraction, else twenty digits."""
    text = str(value)
    return text if isinstance(value, flint.fmpq) and len(text) < 24 else flint.arb(value).str(20, radius=False)


def _value(node: Node, known: Mapping[Node, Value], point: Mapping[Node, Fraction]) -> Value:
    """A node's value, or what makes it undecidable: a branch that is not taken may be undefined."""
    if node.op == "where":
        condition, a, b = (known[x] for x in node.args)
        return condition if isinstance(condition, Undecidable) else a if condition else b
    if node.op in ("and", "or"):
        values = [known[a] for a in node.args]
        if any(v is (node.op == "or") for v in values):
            return node.op == "or"
    if node.op not in expr.LEAVES:
        values = [known[a] for a in node.args]
        broken = next((v for v in values if isinstance(v, Undecidable)), None)
        if broken is not None:
            return broken
    try:
        return _leaf(node, point) if node.op in expr.LEAVES else _computed(node.op, values)
    except (Undecidable, ZeroDivisionError) as error:
        return error if isinstance(error, Undecidable) else Undecidable("a division by zero")


def _leaf(node: Node, point: Mapping[Node, Fraction]) -> Value:
    if node.op in ("true", "false"):
        return node.op == "true"
    given = point.get(node) if node.op == "sym" else node.args[0] if node.op == "const" else None
    if given is None or isinstance(given, Odd):
        raise Undecidable(f"{node} has no value")
    return flint.fmpq(given.numerator, given.denominator)


def _computed(op: str, values: list[Value]) -> Value:
    a, b = values[0], values[-1]
    if op in ("and", "or", "not"):
        return not a if op == "not" else all(values) if op == "and" else any(values)
    if op in ("lt", "le", "eq", "ne"):
        return _compared(op, a, b)
    if op in ("add", "mul", "div"):
        return a + b if op == "add" else a * b if op == "mul" else _quotient(a, b)
    if op == "pow":
        return _power(a, b)
    if op == "sqrt":
        return _root(a)
    if op in ("abs", "sign"):
        sign = 0 if _compared("eq", a, flint.fmpq(0)) else 1 if _compared("lt", flint.fmpq(0), a) else -1
        return a * sign if op == "abs" else flint.fmpq(sign)
    if op in ("max", "min"):
        return b if _compared("lt", a, b) is (op == "max") else a
    if op in ("floor", "ceil", "trunc", "round", "mod") or op not in _FUNCTIONS:
        raise Undecidable(op)
    return _FUNCTIONS[op](flint.arb(a))


def _quotient(a: Value, b: Value) -> Value:
    if isinstance(b, flint.arb) and b.contains(0):
        raise Undecidable("a division by what may be zero")
    return a / b


def _compared(op: str, a: Value, b: Value) -> bool:
    if isinstance(a, flint.fmpq) and isinstance(b, flint.fmpq):
        return bool({"lt": a < b, "le": a <= b, "eq": a == b, "ne": a != b}[op])
    gap = flint.arb(a) - b
    if gap.contains(0):
        raise Undecidable("a comparison of what may be equal")
    return bool({"lt": gap < 0, "le": gap < 0, "eq": False, "ne": True}[op])


def _root(a: Value) -> Value:
    if isinstance(a, flint.fmpq) and a >= 0:
        top, bottom = (n.isqrt() for n in (flint.fmpz(a.p), flint.fmpz(a.q)))
        if flint.fmpq(top, bottom) ** 2 == a:
            return flint.fmpq(top, bottom)
    ball = flint.arb(a)
    if not ball >= 0:
        raise Undecidable("a root of what may be negative")
    return ball.sqrt()


def _power(a: Value, b: Value) -> Value:
    if isinstance(b, flint.fmpq) and b.q == 1 and abs(b.p) <= 4096:
        if b < 0:
            return _quotient(flint.fmpq(1), a ** int(-b.p))
        return a ** int(b.p)
    ball = flint.arb(a)
    if not ball > 0:
        raise Undecidable("a power of what may not be positive")
    return (ball.log() * b).exp()
