"""Expressions as hash-consed nodes: cheap enough to build one for every element of every op an optimizer runs.

Only the few results that leave a lift are turned into sympy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from verifier.lift.conditions import both, compare, either, negate, real, truth, where
from verifier.lift.nodes import (
    FALSE,
    HALF,
    INFINITY,
    MINUS_ONE,
    NAN,
    ONE,
    TRUE,
    TWO,
    ZERO,
    Node,
    Odd,
    const,
    make,
    number,
    rational,
    sym,
)  # fmt: skip


def add(a: Node, b: Node) -> Node:
    """a + b."""
    a, b = real(a), real(b)
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return const(x + y)
    if x == 0:
        return b
    if y == 0:
        return a
    if a is b:
        return mul(TWO, a)
    if (b.op == "mul" and b.args[0] is MINUS_ONE and b.args[1] is a) or (
        a.op == "mul" and a.args[0] is MINUS_ONE and a.args[1] is b
    ):
        return ZERO
    if x is not None:  # constants first, and gathered: (t - 1) + 1 is t
        a, b, x, y = b, a, y, x
    if y is not None and a.op == "add" and number(a.args[0]) is not None:
        return add(const(number(a.args[0]) + y), a.args[1])  # type: ignore[operator]
    if y is not None:
        return make("add", b, a)
    return make("add", a, b) if a.serial <= b.serial else make("add", b, a)


def mul(a: Node, b: Node) -> Node:
    """a * b; a product with the literal 0 is 0."""
    a, b = real(a), real(b)
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return const(x * y)
    if y is not None:
        a, b, x, y = b, a, y, x
    if x is not None:
        if x == 0:
            return ZERO
        if x == 1:
            return b
        if b.op == "mul" and (inner := number(b.args[0])) is not None:
            return mul(const(x * inner), b.args[1])
        return make("mul", a, b)
    if a is b:
        return power(a, TWO)
    return make("mul", a, b) if a.serial <= b.serial else make("mul", b, a)


def neg(a: Node) -> Node:
    """-a."""
    return mul(MINUS_ONE, a)


def sub(a: Node, b: Node) -> Node:
    """a - b."""
    return add(a, neg(b))


def div(a: Node, b: Node) -> Node:
    """a / b; a/a is not folded, so that the condition that it is defined is not lost."""
    a, b = real(a), real(b)
    x, y = number(a), number(b)
    if y is not None and y != 0:
        return const(x / y) if x is not None else mul(const(1 / y), a)
    if x == 0 and y is None:
        return ZERO
    if x == 1 and b.op == "div":  # where b's denominator is 0, IEEE's 1/(c/0) is 0 as well
        return div(b.args[1], b.args[0])
    return make("div", a, b)


def power(a: Node, b: Node) -> Node:
    """a ** b."""
    a, b = real(a), real(b)
    x, y = number(a), number(b)
    if y == 1:
        return a
    if y == 0 or x == 1:
        return ONE
    if y == Fraction(1, 2):
        return sqrt(a)
    if y == Fraction(-1, 2):
        return div(ONE, sqrt(a))
    if x is not None and y is not None and y.denominator == 1 and abs(y) <= 64 and (x != 0 or y > 0):
        return const(x ** int(y))
    if y == -1:
        return div(ONE, a)
    return make("pow", a, b)


def sqrt(a: Node) -> Node:
    """The square root, folded for squares of rationals."""
    a = real(a)
    x = number(a)
    if x is not None and x >= 0:
        root = Fraction(math.isqrt(x.numerator), math.isqrt(x.denominator))
        if root * root == x:
            return const(root)
    return make("sqrt", a)


def absolute(a: Node) -> Node:
    """|a|."""
    a = real(a)
    x = number(a)
    if x is not None:
        return const(abs(x))
    if a.op == "mul" and (inner := number(a.args[0])) is not None:
        return mul(const(abs(inner)), absolute(a.args[1]))
    return a if a.op in ("abs", "sqrt") else make("abs", a)


def sign(a: Node) -> Node:
    """-1, 0 or 1."""
    a = real(a)
    x = number(a)
    if x is not None:
        return const((x > 0) - (x < 0))
    if a.op == "mul" and (inner := number(a.args[0])) is not None:
        return sign(a.args[1]) if inner > 0 else neg(sign(a.args[1]))
    return a if a.op == "sign" else make("sign", a)


def maximum(a: Node, b: Node) -> Node:
    """The larger of a and b."""
    return _extreme("max", a, b)


def minimum(a: Node, b: Node) -> Node:
    """The smaller of a and b."""
    return _extreme("min", a, b)


def _extreme(op: str, a: Node, b: Node) -> Node:
    a, b = real(a), real(b)
    if a is b:
        return a
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return a if (x > y) == (op == "max") else b
    for end, other in ((a, b), (b, a)):
        if end.op == "const" and isinstance(end.args[0], Odd) and end is not NAN:
            return end if (end is INFINITY) == (op == "max") else other
    return make(op, a, b) if a.serial <= b.serial else make(op, b, a)


_WHOLE: dict[str, Callable[[Fraction], int]] = {
    "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc, "round": round,
}  # fmt: skip


def function(name: str, *args: Node) -> Node:
    """A named real function (exp, log, sin, ...); folded only where its value is rational."""
    args = tuple(map(real, args))
    if name in ("floor", "ceil", "trunc", "round") and (x := number(args[0])) is not None:
        return const(_WHOLE[name](x))
    if name == "mod" and (x := number(args[0])) is not None and (y := number(args[1])):
        return const(x % y)
    if args == (ZERO,) and name in ("sin", "tan", "tanh", "atan", "asin", "sinh", "expm1", "log1p", "erf"):
        return ZERO
    if (name, args) in (("exp", (ZERO,)), ("cos", (ZERO,)), ("cosh", (ZERO,))):
        return ONE
    if (name, args) == ("log", (ONE,)):
        return ZERO
    if name == "expm1":
        return sub(function("exp", *args), ONE)
    if name == "log1p":
        return function("log", add(ONE, *args))
    return make(name, *args)


BUILD: dict[str, Callable[..., Node]] = {
    "add": add, "mul": mul, "div": div, "pow": power, "sqrt": sqrt, "abs": absolute, "sign": sign, "max": maximum,
    "min": minimum, "and": both, "or": either, "not": negate, "where": where,
    "lt": lambda a, b: compare("lt", a, b), "le": lambda a, b: compare("le", a, b),
    "eq": lambda a, b: compare("eq", a, b), "ne": lambda a, b: compare("ne", a, b),
}  # fmt: skip
LEAVES = frozenset({"sym", "const", "true", "false", "opaque"})


def postorder(roots: Iterable[Node]) -> list[Node]:
    """Every node below the roots, arguments before what uses them, each once."""
    seen: set[Node] = set()
    order: list[Node] = []
    stack: list[tuple[Node, bool]] = [(r, False) for r in roots]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if node.op not in LEAVES:
                stack.extend((a, False) for a in node.args if a not in seen)
    return order


def rebuild(roots: Iterable[Node], replace: Mapping[Node, Node]) -> list[Node]:
    """The roots with every occurrence of `replace`'s keys replaced; folded anew."""
    roots = list(roots)
    new: dict[Node, Node] = dict(replace)
    for node in sorted(postorder(roots), key=lambda n: n.serial):  # as they were made: operands keep their order
        if node in new:
            continue
        args = () if node.op in LEAVES else tuple(new[a] for a in node.args)
        if node.op in LEAVES or all(x is y for x, y in zip(args, node.args, strict=True)):
            new[node] = node
        else:
            build = BUILD.get(node.op)
            new[node] = build(*args) if build else function(node.op, *args)
    return [new[r] for r in roots]


def symbols(*roots: Node) -> set[Node]:
    """The symbols below the roots."""
    return {n for n in postorder(roots) if n.op == "sym"}


def opaque_leaves(*roots: Node) -> list[Node]:
    """The leaves that stand for something a lift could not read, in the order met."""
    return [n for n in postorder(roots) if n.op == "opaque"]


def size(*roots: Node) -> int:
    """How many operations the expressions take, shared ones counted once."""
    return sum(n.op not in LEAVES for n in postorder(roots))


__all__ = [
    "BUILD", "FALSE", "HALF", "INFINITY", "LEAVES", "MINUS_ONE", "NAN", "ONE", "TRUE", "TWO", "ZERO", "Node",
    "absolute", "add", "both", "compare", "const", "div", "either", "function", "make", "maximum", "minimum", "mul",
    "neg", "negate", "number", "opaque_leaves", "postorder", "power", "rational", "real", "rebuild", "sign", "size",
    "sqrt", "sub", "sym", "symbols", "truth", "where",
]  # fmt: skip
