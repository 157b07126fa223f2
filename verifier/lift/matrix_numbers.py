"""Expressions with ordinary operators, in arrays: what steps over whole tensors are written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from verifier.lift import expr
from verifier.lift.expr import Node

Array = Any  # numpy array of Number


def _operator(build: Callable[[Node, Node], Node], *, swapped: bool = False) -> Callable[[Number, Any], Any]:
    def operator(self: Number, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented  # numpy asks element by element
        one, two = self.node, _node(other)
        return Number(build(two, one) if swapped else build(one, two))

    return operator


class Number:
    """An expression with ordinary operators, so that arrays of them read like the paper."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    __add__ = __radd__ = _operator(expr.add)
    __mul__ = __rmul__ = _operator(expr.mul)
    __sub__, __rsub__ = _operator(expr.sub), _operator(expr.sub, swapped=True)
    __truediv__, __rtruediv__ = _operator(expr.div), _operator(expr.div, swapped=True)
    __pow__, __rpow__ = _operator(expr.power), _operator(expr.power, swapped=True)


def _node(value: Any) -> Node:
    return value.node if isinstance(value, Number) else expr.const(value)


def number(node: Node) -> Number:
    """The expression as a Number."""
    return Number(node)


sqrt = np.frompyfunc(lambda a: Number(expr.sqrt(_node(a))), 1, 1)
larger = np.frompyfunc(lambda a, b: Number(expr.maximum(_node(a), _node(b))), 2, 1)
smaller = np.frompyfunc(lambda a, b: Number(expr.minimum(_node(a), _node(b))), 2, 1)
