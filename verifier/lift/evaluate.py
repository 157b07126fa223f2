"""The value of an expression at a point, with a bound on the rounding that computing it in doubles may have added."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.nodes import Odd

ULPS = 8
"""Roundings one node may stand for: no op table entry takes more elementary operations than this."""

_U = 2.0**-53
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "exp": math.exp, "log": math.log, "sin": math.sin, "cos": math.cos, "tan": math.tan, "tanh": math.tanh,
    "atan": math.atan, "atan2": math.atan2, "asin": math.asin, "acos": math.acos, "sinh": math.sinh,
    "cosh": math.cosh, "erf": math.erf, "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc,
    "round": round, "mod": lambda a, b: a - b * math.floor(a / b),
}  # fmt: skip
_STEPS = frozenset({"floor", "ceil", "trunc", "round", "mod"})

Bounded = tuple[float, float]
"""A value and the largest error it may carry."""


Point = Mapping[Node, float] | Mapping[Node, Bounded] | Mapping[Node, float | Bounded]
"""A number for each symbol, with an error bound where it has one."""


def values(roots: Iterable[Node], point: Point, unit: float = _U) -> list[Bounded]:
    """Of each root its value and error bound; NaN where it is undefined, an infinite bound where a branch is in doubt.

    A symbol `point` does not give is NaN. `unit` is the unit roundoff of the arithmetic whose results are bounded.
    """
    roots = list(roots)
    known: dict[Node, Bounded | bool | None] = {}
    for node in expr.postorder(roots):
        known[node] = _value(node, known, point, unit)
    out: list[Bounded] = []
    for r in roots:
        value = known[r]
        if value is None:
            out.append((math.nan, math.inf))
        else:
            out.append((float(value), 0.0) if isinstance(value, bool) else value)
    return out


def holds(condition: Node, point: Point) -> bool | None:
    """Whether a condition holds at a point; None where that is in doubt."""
    known: dict[Node, Bounded | bool | None] = {}
    for node in expr.postorder([condition]):
        known[node] = _value(node, known, point)
    value = known[condition]
    return value if isinstance(value, bool) else None


def _value(
    node: Node, known: Mapping[Node, Bounded | bool | None], point: Point, unit: float = _U
) -> Bounded | bool | None:
    op = node.op
    if op == "sym":
        given = point.get(node, math.nan)
        return given if isinstance(given, tuple) else (given, 0.0)
    if op == "const":
        payload = node.args[0]
        if isinstance(payload, Odd):
            return float(payload), 0.0
        value = float(payload) if abs(payload) < Fraction(10) ** 308 else math.inf
        if not math.isfinite(value):
            return value, 0.0
        if unit > _U:  # constants may have been folded, and rounded to the narrower format on the way
            return value, max(abs(value), 1.0) * ULPS * unit
        return value, abs(value) * _U if Fraction(value) != payload else 0.0
    if op in ("true", "false"):
        return op == "true"
    if op == "opaque":
        return math.nan, math.inf
    args = [known[a] for a in node.args]
    if op == "where":
        condition = args[0]
        if condition is None:
            return _as_number(args[1]) if args[1] == args[2] else (math.nan, math.inf)
        return _as_number(args[1] if condition else args[2])
    if op in ("and", "or"):
        if (op == "and" and False in args) or (op == "or" and True in args):
            return op == "or"
        return None if None in args else op == "and"
    if op == "not":
        return None if args[0] is None else not args[0]
    (a, ea), *rest = [_as_number(x) for x in args]
    b, eb = rest[0] if rest else (0.0, 0.0)
    if op in ("lt", "le", "eq", "ne"):
        return _compare(op, a, b, ea + eb)
    try:
        value, error = _arithmetic(op, a, ea, b, eb, node)
    except (ZeroDivisionError, ValueError, OverflowError):
        return math.nan, math.inf
    if error == 0 and (value == 0 or (op in ("add", "mul") and _whole(unit, a, b, value))):  # computed exactly
        return value, 0.0
    return value, error + ULPS * unit * abs(value) + 5e-324


def _whole(unit: float, *numbers: float) -> bool:
    """Whether these are whole numbers that arithmetic of this unit roundoff holds exactly, such as counts of steps."""
    return all(float(n).is_integer() and abs(n) * unit <= 1 for n in numbers)


def _as_number(x: Bounded | bool | None) -> Bounded:
    if x is None:
        return math.nan, math.inf
    return (float(x), 0.0) if isinstance(x, bool) else x


def _compare(op: str, a: float, b: float, error: float) -> bool | None:
    if math.isnan(a) or math.isnan(b):
        return None
    if error and abs(a - b) <= error:
        return None
    return {"lt": a < b, "le": a <= b, "eq": a == b, "ne": a != b}[op]


def _arithmetic(op: str, a: float, ea: float, b: float, eb: float, node: Node) -> Bounded:
    if op == "add":
        return a + b, ea + eb  # what rounding adds is added to every result
    if op == "mul":
        return a * b, abs(a) * eb + abs(b) * ea + ea * eb
    if op == "div":
        if abs(b) <= eb:
            return math.nan, math.inf
        return a / b, (ea + abs(a / b) * eb) / (abs(b) - eb)
    if op == "sqrt":
        root = math.sqrt(a) if a >= 0 else (0.0 if -a <= ea else math.nan)
        return root, (ea / root if root > 0 else 0.0) + math.sqrt(ea if root * root <= 2 * ea else 0.0)
    if op == "pow":
        return _power(a, ea, b, eb)
    if op == "abs":
        return abs(a), ea
    if op == "sign":
        if 0 < abs(a) <= ea:
            return 0.0, math.inf
        return float((a > 0) - (a < 0)), 0.0
    if op in ("max", "min"):
        if math.isnan(a + b):
            return math.nan, max(ea, eb)
        if abs(a - b) > ea + eb:  # whichever it is, the other cannot be
            return (a, ea) if (a > b) == (op == "max") else (b, eb)
        return (max if op == "max" else min)(a, b), max(ea, eb)
    f = _FUNCTIONS[op]
    args = (a, b)[: len(node.args)]
    value = float(f(*args))
    if op in _STEPS:
        low, high = float(f(a - ea, *args[1:])), float(f(a + ea, *args[1:]))
        return value, 0.0 if low == high == value or (op == "mod" and not ea) else math.inf
    width = [abs(float(f(*(x + s * e for x, e in zip(args, (ea, eb), strict=False)))) - value) for s in (-1, 1)]
    return value, 2 * max(width) + 8 * _U * abs(value)


def _power(a: float, ea: float, b: float, eb: float) -> Bounded:
    value = a**b
    if isinstance(value, complex):
        return math.nan, math.inf
    if a == 0 or not math.isfinite(value):
        return value, 0.0 if not ea else (ea**b if b > 0 else math.inf)
    relative = abs(b) * ea / abs(a) + (abs(math.log(abs(a))) * eb if eb else 0.0)
    return value, abs(value) * (relative + relative * relative if relative < 0.5 else math.inf)
