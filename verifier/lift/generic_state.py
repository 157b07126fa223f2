"""The state of an optimizer made generic: every number of it a symbol, the counters the step number."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.memory import Memory, Nodes
from verifier.lift.scalars import TaggedFloat, TaggedInt, plain
from verifier.lift.slots import Slot

T = expr.sym("t")


class Overflows(Exception):
    """A counter cannot hold the step number it is to be set to."""


def differ(one: Nodes, two: Nodes) -> bool:
    """Whether two arrays hold different expressions."""
    return len(one) != len(two) or any(x is not y for x, y in zip(one, two, strict=True))


def value_of(slot: Slot) -> Any:
    """A slot's value to compare later with: a number, or a copy of the tensor."""
    return slot.value.detach().clone() if slot.is_tensor else plain(slot.value)


def real(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of reals as it is, one of complex numbers as pairs of reals in the same memory."""
    return torch.view_as_real(tensor.detach()) if tensor.is_complex() else tensor


def like(tensor: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """Reals, or pairs of them, as the numbers a tensor holds."""
    return torch.view_as_complex(pairs) if tensor.is_complex() else pairs


def flat(value: Any) -> list[float]:
    """A tensor's or number's values, in the tensor's own order; of complex numbers real and imaginary parts."""
    if isinstance(value, torch.Tensor):
        return [float(x) for x in real(value.detach()).reshape(-1).tolist()]
    return [plain(value)]


def point_of(name: str, index: int, tensor: torch.Tensor) -> dict[Node, float]:
    """The concrete value of each element's symbol."""
    return {expr.sym(name, (index, k)): v for k, v in enumerate(flat(tensor))}


def birth(memory: Memory, slot: Slot) -> Nodes | None:
    """What a tensor's memory held when it was made, in the tensor's own order."""
    born = memory.birth(slot.value)
    if born is None:
        return None
    parts = 2 if slot.value.is_complex() else 1
    offset, count = slot.value.storage_offset() * parts, slot.value.numel() * parts
    if not slot.value.is_contiguous() or offset + count > len(born):
        return born[:count].copy() if len(set(born)) == 1 and len(born) >= count else None
    return born[offset : offset + count].copy()


def _changes(values: Sequence[Any]) -> bool:
    first = values[0]
    if isinstance(first, torch.Tensor):
        return any(not isinstance(v, torch.Tensor) or v.shape != first.shape or not torch.equal(v, first)
                   for v in values[1:])  # fmt: skip
    return any(isinstance(v, torch.Tensor) or v != first for v in values[1:])


def _counts(values: Sequence[Any]) -> float | None:
    """What a counter held before the first step, if these values after steps 1, 2, ... are those of one."""
    numbers = []
    for v in values:
        if isinstance(v, torch.Tensor):
            if v.numel() != 1 or not torch.isfinite(v).all():
                return None
            v = v.item()
        numbers.append(float(v))
    if len(numbers) < 3 or not numbers[0].is_integer():
        return None
    return numbers[0] - 1 if all(b - a == 1 for a, b in itertools.pairwise(numbers)) else None


def symbolise(
    memory: Memory,
    held: Sequence[Slot],
    names: Mapping[tuple[str, ...], str],
    before: Mapping[Any, Any],
    first: Mapping[Any, Nodes],
    history: Mapping[Any, list[Any]],
    t: int,
    point: dict[Node, float],
    draw: random.Random | None,
    force: Mapping[Node, float],
    stateful: frozenset[tuple[str, ...]],
) -> dict[tuple[int | None, tuple[str, ...]], tuple[str, bool]]:
    """Gives every state variable its symbols, and counters the step number. slot -> (name, whether a counter)"""
    trace = memory.trace
    named: dict[tuple[int | None, tuple[str, ...]], tuple[str, bool]] = {}
    for slot in held:
        key, name = (slot.owner, slot.path), names[slot.path]
        values = history.get(key, [])
        in_state = "state" in slot.path or slot.owner is not None
        new = key not in before
        moved = bool(values) and _changes([*([before[key][1]] if not new else []), *values])
        moved = moved or slot.path in stateful
        if key in first and any(symbol.args[1] is not None for symbol in expr.symbols(*first[key])):
            moved = True  # made of the first step's gradient, which is not this step's
        if not values or key not in first or not (moved or (slot.is_tensor and in_state)):
            continue
        if slot.is_tensor and not moved and not real(slot.value).is_floating_point():
            continue  # a flag or an index the optimizer keeps at hand
        base = _counts(values)
        if base is not None:
            node = expr.add(T, expr.const(base - 1))
            _set(memory, slot, float(t - 1 + base), node)
            named[key] = (name, True)
            continue
        if not slot.is_tensor and slot.put is None:
            continue
        named[key] = (name, False)
        owner = slot.owner if slot.owner is not None else -1
        if slot.is_tensor:
            numbers = real(slot.value)
            if draw is not None and numbers.is_floating_point():
                with torch.no_grad():
                    for place in np.ndindex(tuple(numbers.shape)):
                        numbers[place] *= 1 + 0.2 * draw.random()
            if force:
                with torch.no_grad():
                    for k, place in enumerate(np.ndindex(tuple(numbers.shape))):
                        if expr.sym(name, (owner, k)) in force:
                            numbers[place] = force[expr.sym(name, (owner, k))]
            memory.set_symbol(slot.value, name, owner)
            point.update(point_of(name, owner, slot.value))
        else:
            node = expr.sym(name, (owner, 0))
            value = bare(slot.value)
            if draw is not None and isinstance(value, float):
                value *= 1 + 0.2 * draw.random()
            value = force.get(node, value)
            point[node] = float(value)
            assert slot.put is not None
            slot.put(trace.tag(value, node))
    return named


def bare(value: Any) -> Any:
    """A plain number without what it is known to be."""
    if isinstance(value, TaggedInt):
        return int(value)
    return plain(value) if isinstance(value, TaggedFloat) else value


def _set(memory: Memory, slot: Slot, value: float, node: Node) -> None:
    """Sets a counter, in place where it is a tensor. Overflows where a tensor of few bits cannot count so far."""
    if slot.is_tensor:
        kind = slot.value.dtype
        if not (kind.is_floating_point or kind.is_complex or kind is torch.bool) and value > torch.iinfo(kind).max:
            raise Overflows(f"a counter of {kind} cannot count to {value:g}")
        with torch.no_grad():
            slot.value.fill_(value)
        memory.write(slot.value, node)
    elif slot.put is not None:
        slot.put(memory.trace.tag(int(value) if isinstance(slot.value, int | TaggedInt) else value, node))


def number_node(memory: Memory, slot: Slot) -> Nodes:
    """The expressions of a slot's elements, flat; of a plain number that is none, not a number."""
    if slot.is_tensor:
        return memory.read(slot.value).reshape(-1).copy()
    node = memory.trace.node(slot.value)
    made: Nodes = np.empty(1, dtype=object)
    made[0] = node if node is not None else expr.NAN
    return made
