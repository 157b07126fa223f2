"""Expressions as hash-consed nodes: cheap enough to build one for every element of every op an optimizer runs.

Two nodes are the same expression exactly when they are the same object. Only the few results that leave a lift are
turned into sympy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any
from weakref import WeakValueDictionary

CONDITIONS = frozenset({"lt", "le", "eq", "ne", "and", "or", "not", "true", "false"})
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}
_count = itertools.count()


class Node:
    """One expression: an operation name and its arguments (nodes, or the payload of a leaf)."""

    __slots__ = ("__weakref__", "args", "is_condition", "op", "serial")

    def __init__(self, op: str, args: tuple[Any, ...]) -> None:
        self.op = op
        self.args = args
        self.serial = next(_count)
        self.is_condition = op in CONDITIONS

    def __repr__(self) -> str:
        if self.op in ("sym", "const"):
            return str(self.args[0]) if len(self.args) < 2 or self.args[1] is None else f"{self.args[0]}{self.args[1]}"
        return f"{self.op}({', '.join(map(repr, self.args))})"


_interned: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()


def make(op: str, *args: Any) -> Node:
    """The one node with this operation and these arguments."""
    key = (op, *args)
    node = _interned.get(key)
    if node is None:
        node = Node(op, args)
        _interned[key] = node
    return node


def sym(name: str, index: tuple[int, int] | None = None) -> Node:
    """A symbol; `index` is (tensor, element) for values that differ from element to element."""
    return make("sym", name, index)


def const(value: Fraction | int | float) -> Node:
    """A number: exact where finite. A float stands for the decimal or small fraction it was written as."""
    if isinstance(value, float):
        return make("const", rational(value) if math.isfinite(value) else _Odd(value))
    return make("const", Fraction(value))


class _Odd:
    """An infinity or NaN as a leaf's payload: equal to itself, unlike NaN."""

    __slots__ = ("name",)

    def __init__(self, value: float) -> None:
        self.name = repr(float(value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Odd) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return self.name

    def __float__(self) -> float:
        return float(self.name)


def rational(value: float) -> Fraction:
    """The number a double was meant as: a fraction of denominator up to 1000 that rounds to it, else its decimal."""
    if value.is_integer():
        return Fraction(int(value))
    small = Fraction(value).limit_denominator(1000)
    return small if float(small) == value else Fraction(repr(value))


ZERO, ONE, MINUS_ONE, TWO, HALF = const(0), const(1), const(-1), const(2), const(Fraction(1, 2))
TRUE, FALSE = make("true"), make("false")
NAN, INFINITY = const(math.nan), const(math.inf)


def number(node: Node) -> Fraction | None:
    """The exact value of a finite constant, else None."""
    return node.args[0] if node.op == "const" and isinstance(node.args[0], Fraction) else None


def real(node: Node) -> Node:
    """The node as a number: a condition counts as 1 where it holds and 0 elsewhere, as a bool tensor does."""
    return where(node, ONE, ZERO) if node.is_condition else node


def truth(node: Node) -> Node:
    """The node as a condition: a number holds where it is not zero."""
    return node if node.is_condition else compare("ne", node, ZERO)


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
    """a / b, kept as written: 0/b and a/a are not folded, so that no side condition is lost."""
    a, b = real(a), real(b)
    x, y = number(a), number(b)
    if y is not None and y != 0:
        return const(x / y) if x is not None else mul(const(1 / y), a)
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
        if end.op == "const" and isinstance(end.args[0], _Odd) and end is not NAN:
            return end if (end is INFINITY) == (op == "max") else other
    return make(op, a, b) if a.serial <= b.serial else make(op, b, a)


def function(name: str, *args: Node) -> Node:
    """A named real function (exp, log, sin, ...); folded only where its value is rational."""
    args = tuple(map(real, args))
    if name in ("floor", "ceil", "trunc", "round") and (x := number(args[0])) is not None:
        return const({"floor": math.floor, "ceil": math.ceil, "trunc": math.trunc, "round": round}[name](x))
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


def compare(op: str, a: Node, b: Node) -> Node:
    """The condition a < b ('lt'), a <= b, a == b or a != b; pushed into `where` and through `sign`."""
    a, b = real(a), real(b)
    if a is b:
        return TRUE if op in ("le", "eq") else FALSE
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return TRUE if _COMPARE[op](x, y) else FALSE
    for end, other, flipped in ((a, b, False), (b, a, True)):
        if end.op == "const" and isinstance(end.args[0], _Odd) and other.op != "const":  # finite against infinite
            if end is NAN:
                return TRUE if op == "ne" else FALSE
            below = (end is INFINITY) == flipped  # a < b holds
            return TRUE if {"lt": below, "le": below, "eq": False, "ne": True}[op] else FALSE
    if a.op == "where" and (y is not None or b.op == "sym"):
        return where(a.args[0], compare(op, a.args[1], b), compare(op, a.args[2], b))
    if b.op == "where" and (x is not None or a.op == "sym"):
        return where(b.args[0], compare(op, a, b.args[1]), compare(op, a, b.args[2]))
    if y == 0 and a.op == "sign":
        return compare(op, a.args[0], b)
    if x == 0 and b.op == "sign":
        return compare(op, a, b.args[0])
    if y == 0 and a.op == "mul" and (c := number(a.args[0])) is not None and c != 1:
        return compare(op, a.args[1], b) if c > 0 else compare(op, b, a.args[1])
    if x == 0 and b.op == "mul" and (c := number(b.args[0])) is not None and c != 1:
        return compare(op, a, b.args[1]) if c > 0 else compare(op, b.args[1], a)
    if x == 0 and (b.op == "sqrt" or b.op == "abs"):
        if op == "le":
            return TRUE
    elif y == 0 and (a.op == "sqrt" or a.op == "abs") and op == "lt":
        return FALSE
    if op in ("eq", "ne") and a.serial > b.serial:
        a, b = b, a
    return make(op, a, b)


def negate(a: Node) -> Node:
    """The opposite condition."""
    a = truth(a)
    if a is TRUE or a is FALSE:
        return FALSE if a is TRUE else TRUE
    if a.op == "not":
        return a.args[0]  # type: ignore[no-any-return]
    if a.op in ("eq", "ne"):
        return make("ne" if a.op == "eq" else "eq", *a.args)
    if a.op in ("lt", "le"):  # for real numbers; a NaN takes neither side
        return make("le" if a.op == "lt" else "lt", a.args[1], a.args[0])
    return make("not", a)


def both(a: Node, b: Node) -> Node:
    """a and b."""
    a, b = truth(a), truth(b)
    if a is FALSE or b is FALSE:
        return FALSE
    if a is TRUE or a is b:
        return b
    return a if b is TRUE else make("and", *sorted((a, b), key=lambda n: n.serial))


def either(a: Node, b: Node) -> Node:
    """a or b."""
    a, b = truth(a), truth(b)
    if a is TRUE or b is TRUE:
        return TRUE
    if a is FALSE or a is b:
        return b
    return a if b is FALSE else make("or", *sorted((a, b), key=lambda n: n.serial))


def where(condition: Node, a: Node, b: Node) -> Node:
    """a where the condition holds, else b. Of two conditions, the condition."""
    condition = truth(condition)
    if condition is TRUE:
        return a
    if condition is FALSE or a is b:
        return b
    if a.is_condition and b.is_condition:
        return either(both(condition, a), both(negate(condition), b))
    a, b = real(a), real(b)
    if a is b:
        return b
    return make("where", condition, a, b)


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
    stack: list[tuple[Node, bool]] = [(r, False) for r in roots]
    while stack:
        node, ready = stack.pop()
        if node in new:
            continue
        if node.op in LEAVES:
            new[node] = node
        elif ready:
            args = tuple(new[a] for a in node.args)
            if all(x is y for x, y in zip(args, node.args, strict=True)):
                new[node] = node
            else:
                build = BUILD.get(node.op)
                new[node] = build(*args) if build else function(node.op, *args)
        else:
            stack.append((node, True))
            stack.extend((a, False) for a in node.args)
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
