"""Nodes to sympy: the few expressions that leave a lift."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sympy
from sympy import Expr, Rational, Symbol

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.nodes import Odd
from verifier.rule import t

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": sympy.sqrt, "abs": sympy.Abs, "sign": sympy.sign, "max": sympy.Max, "min": sympy.Min, "exp": sympy.exp,
    "log": sympy.log, "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "tanh": sympy.tanh, "atan": sympy.atan,
    "atan2": sympy.atan2, "asin": sympy.asin, "acos": sympy.acos, "sinh": sympy.sinh, "cosh": sympy.cosh,
    "erf": sympy.erf, "floor": sympy.floor, "ceil": sympy.ceiling, "mod": sympy.Mod,
    "round": sympy.Function("round"), "trunc": sympy.Function("trunc"),
    "lt": sympy.Lt, "le": sympy.Le, "eq": sympy.Eq, "ne": sympy.Ne,
    "and": sympy.And, "or": sympy.Or, "not": sympy.Not,
    "add": sympy.Add, "mul": sympy.Mul, "pow": sympy.Pow,
    "div": lambda a, b: a / b,
}  # fmt: skip


def symbol(node: Node) -> Symbol:
    """The symbol of a leaf: `t` is the rule language's own, all others are real; an element's index is in its name."""
    name, index = node.args
    if name == "t":
        return t
    return Symbol(name if index is None else f"{name}[{index[0]},{index[1]}]", real=True)


def to_sympy(roots: Iterable[Node], names: Mapping[Node, Symbol] | None = None) -> list[Expr]:
    """The roots as sympy expressions; `names` gives symbols for nodes that are not to be written out."""
    roots = list(roots)
    known: dict[Node, Any] = dict(names or {})
    stack = [(r, False) for r in roots]
    while stack:
        node, ready = stack.pop()
        if node in known:
            continue
        if node.op in expr.LEAVES:
            known[node] = _leaf(node)
        elif not ready:
            stack.append((node, True))
            stack.extend((a, False) for a in node.args)
        elif node.op == "where":
            condition, a, b = (known[x] for x in node.args)
            rest = b.args if isinstance(b, sympy.Piecewise) and node.args[2] not in (names or {}) else ((b, True),)
            known[node] = sympy.Piecewise((a, condition), *rest)
        elif node.op in ("eq", "ne") and node.args[0].op == "const":
            known[node] = _FUNCTIONS[node.op](known[node.args[1]], known[node.args[0]])
        else:
            known[node] = _FUNCTIONS[node.op](*(known[a] for a in node.args))
    return [known[r] for r in roots]


def _leaf(node: Node) -> Any:
    if node.op == "sym":
        return symbol(node)
    if node.op == "const":
        value = node.args[0]
        if isinstance(value, Odd):
            return {"inf": sympy.oo, "-inf": -sympy.oo}.get(value.name, sympy.nan)
        return Rational(value.numerator, value.denominator)
    if node.op == "opaque":
        return Symbol(f"unknown_{node.args[1]}", real=True)
    return sympy.true if node.op == "true" else sympy.false
