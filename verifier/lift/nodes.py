"""Hash-consed nodes: two are the same expression exactly when they are the same object."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any
from weakref import WeakValueDictionary

CONDITIONS = frozenset({"lt", "le", "eq", "ne", "and", "or", "not", "true", "false"})
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
        return make("const", rational(value) if math.isfinite(value) else Odd(value))
    return make("const", Fraction(value))


class Odd:
    """An infinity or NaN as a leaf's payload: equal to itself, unlike NaN."""

    __slots__ = ("name",)

    def __init__(self, value: float) -> None:
        self.name = repr(float(value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odd) and other.name == self.name

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


LONG = 12
"""Digits of a constant that nobody writes: code computed it of others, as `1 - 0.999`, before a lift could see how."""


def computed(node: Node) -> bool:
    """Whether a constant was computed by the code, of constants again: nobody writes that many digits."""
    value = number(node)
    if value is None or value.denominator <= 1000:
        return False
    return len(repr(float(value)).partition("e")[0].replace(".", "").strip("-0")) > LONG


ZERO, ONE, MINUS_ONE, TWO, HALF = const(0), const(1), const(-1), const(2), const(Fraction(1, 2))
TRUE, FALSE = make("true"), make("false")
NAN, INFINITY = const(math.nan), const(math.inf)


def number(node: Node) -> Fraction | None:
    """The exact value of a finite constant, else None."""
    return node.args[0] if node.op == "const" and isinstance(node.args[0], Fraction) else None
