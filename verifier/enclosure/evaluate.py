"""Runs the instructions of a rule over enclosures and scalars, in one of the worlds open comparisons allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from verifier.enclosure import interval, rewrites
from verifier.enclosure.computed import Enclosure
from verifier.enclosure.program import Instruction
from verifier.enclosure.reading import Mask, either
from verifier.enclosure.scalars import Scalar, Setting

Value = Any
"""A Scalar, an Enclosure, or the outcome of a comparison."""


class Outcomes:
    """The comparisons that could go more than one way: value number -> how many ways, per element."""

    def __init__(self) -> None:
        self.open: dict[int, Any] = {}


class Order:
    """The outcome of a comparison in one world: the sign of left - right, per element."""

    __slots__ = ("lost", "open", "sign")

    def __init__(self, sign: Any, is_open: bool, lost: Mask | None) -> None:
        self.sign, self.open, self.lost = sign, is_open, lost

    def __getitem__(self, which: Any) -> Order:
        """The outcome for some of the elements; for one of them where all agree."""
        if len(self.sign) == 1:
            return self
        sign = self.sign[which]
        lost = None if self.lost is None else np.broadcast_to(self.lost, len(self.sign))[which]
        if lost is not None and not lost.any():
            lost = None
        if lost is None and len(sign) and (sign == sign[0]).all():
            sign = sign[:1]
        return Order(sign, self.open, lost)


def _compare(left: Value, right: Value, chosen: int, number: int, outcomes: Outcomes) -> Order:
    a, b = (v.fine if isinstance(v, Scalar) else v for v in (left, right))
    if a.fmt is not b.fmt:
        a, b = (v.coarse if isinstance(v, Scalar) else v for v in (left, right))
    a, b = a.settled(), b.settled()
    above, below = a.hi > b.lo, a.lo < b.hi
    equal = (a.lo <= b.hi) & (b.lo <= a.hi)
    above, below, equal = np.broadcast_arrays(above, below, equal)
    ways = above.astype(np.int8) + below + equal
    rank = np.minimum(chosen, ways - 1)  # an element with fewer ways repeats its last
    sign = np.select(
        [above & (rank == 0), below & (rank == above), equal & (rank == above.astype(np.int8) + below)], [1, -1, 0], 0
    )
    lost = either(a.nan, b.nan)
    order = Order(sign, bool((ways > 1).any()), lost)
    if order.open:
        outcomes.open[number] = ways
    return order


_RELATIONS: dict[str, Any] = {
    "gt": lambda sign: sign > 0,
    "lt": lambda sign: sign < 0,
    "ge": lambda sign: sign >= 0,
    "le": lambda sign: sign <= 0,
    "eq": lambda sign: sign == 0,
    "ne": lambda sign: sign != 0,
}


def _holds(test: Any, values: Mapping[int, Value]) -> Mask:
    """Where a condition holds in this world; see `program._Builder.condition`."""
    name, *rest = test
    holds: Mask
    if name in ("and", "or"):
        combine = np.logical_and if name == "and" else np.logical_or
        holds = combine.reduce(np.broadcast_arrays(*(_holds(x, values) for x in rest)))
    elif name == "not":
        holds = ~_holds(rest[0], values)
    else:
        holds = _RELATIONS[name](values[rest[0]].sign)
    return holds


def evaluate(
    code: Iterable[Instruction],
    known: Mapping[int, Value],
    setting: Setting,
    choice: Mapping[int, int],
    outcomes: Outcomes,
    whole: Iterable[Instruction] = (),
) -> dict[int, Value]:
    """The value of every instruction of `code`, given those `known`; `choice` picks the outcome of open comparisons.

    `whole` is the program `code` is a part of: kept scalars may be computed anew from its first instruction on.
    """
    values: dict[int, Value] = dict(known)
    for i in code:
        args = [values[a] for a in i.args]
        if i.op == "compare":
            values[i.target] = _compare(args[0], args[1], choice.get(i.target, 0), i.target, outcomes)
        elif i.op == "number":
            values[i.target] = setting.number(*i.detail)
        elif i.op == "select":
            values[i.target] = _select(i, args, values)
        elif i.op == "hold" and setting.kept is not None:
            values[i.target] = _in_kept_format(i.args[0], whole, values, setting)
        elif i.shared:
            values[i.target] = _SCALAR[i.op](i, args)
        else:
            args = [a.coarse if isinstance(a, Scalar) else a for a in args]
            if i.op == "mix" and setting.lerps:
                args[1] = rewrites.weight_of_rounded(*args[:2])
            values[i.target] = _TENSOR[i.op](i, args)
    return values


def _in_kept_format(number: int, code: Iterable[Instruction], values: Mapping[int, Value], setting: Setting) -> Scalar:
    """A kept scalar computed anew in its own format, from the inputs on, and stored."""
    within = Setting(setting.kept, setting.kept, setting.held)
    by_target = {i.target: i for i in code}

    def value(n: int) -> Scalar:
        i = by_target.get(n)
        if i is None or i.op in ("hold", "hold product", "select"):
            known: Scalar = values[n]
            return known.narrowed(within)
        if i.op == "number":
            return within.number(*i.detail)
        args = [value(a) for a in i.args]
        result: Scalar = args[0].reciprocal_times(args[1]) if i.op == "div" else _SCALAR[i.op](i, args)
        return result

    stored = value(number).hold().fine
    lo, hi = interval.convert(stored.lo, stored.hi, interval.base_dtype(setting.arithmetic))
    return Scalar(setting, Enclosure(lo, hi, setting.arithmetic, nan=stored.nan))


def _select(i: Instruction, args: list[Value], values: Mapping[int, Value]) -> Value:
    condition = _holds(i.detail[0], values)
    chosen, other = args[:2]
    if not (isinstance(chosen, Scalar) and isinstance(other, Scalar)):
        chosen, other = (a.coarse if isinstance(a, Scalar) else a for a in (chosen, other))
    result = (
        chosen.select(condition, other) if isinstance(chosen, Scalar) else rewrites.select(condition, chosen, other)
    )
    lost = None
    for order in args[2:]:
        lost = either(lost, order.lost)
    if lost is not None and isinstance(result, Enclosure):
        r = result.settled()
        lo, hi = np.where(lost, -np.inf, r.lo), np.where(lost, np.inf, r.hi)
        return Enclosure(lo, hi, r.fmt, nan=either(r.nan, lost))
    return result


_SCALAR: dict[str, Any] = {
    "add": lambda i, a: a[0] + a[1],
    "mul": lambda i, a: a[0] * a[1],
    "div": lambda i, a: a[0] / a[1],
    "neg": lambda i, a: -a[0],
    "abs": lambda i, a: abs(a[0]),
    "sqrt": lambda i, a: a[0].sqrt(),
    "whole power": lambda i, a: a[0] ** i.detail,
    "power": lambda i, a: a[0].power(a[1]),
    "maximum": lambda i, a: a[0].maximum(a[1]),
    "minimum": lambda i, a: a[0].minimum(a[1]),
    "hold": lambda i, a: a[0].hold(),
    "hold product": lambda i, a: Scalar.hold_product(a),
}

_TENSOR: dict[str, Any] = {
    "add": lambda i, a: a[0] + a[1],
    "mul": lambda i, a: a[0] * a[1],
    "div": lambda i, a: a[0] / a[1],
    "neg": lambda i, a: -a[0],
    "abs": lambda i, a: abs(a[0]),
    "sqrt": lambda i, a: a[0].sqrt(),
    "whole power": lambda i, a: a[0] ** i.detail,
    "maximum": lambda i, a: a[0].maximum(a[1]),
    "minimum": lambda i, a: a[0].minimum(a[1]),
    "sum": lambda i, a: rewrites.total(a),
    "or root": lambda i, a: rewrites.or_root(*a),
    "either": lambda i, a: a[0].hull(a[1]),
    "mix": lambda i, a: rewrites.mix(*a),
    "decay": lambda i, a: rewrites.decay(*a),
    "fold": lambda i, a: rewrites.fold(*a),
}
