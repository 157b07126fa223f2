"""Numbers that an optimizer keeps from a later step than the first on: what a step reads, and what it only writes.

The last ten step sizes, kept by the number of the step modulo ten, are such: each is written anew before it is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import torch

from verifier.lift import expr, schedule
from verifier.lift.expr import Node
from verifier.lift.generic_state import T, bare, differ, number_node
from verifier.lift.memory import Memory, Nodes
from verifier.lift.scalars import Condition
from verifier.lift.slots import Slot

Key = tuple[int | None, tuple[str, ...]]
"""Which parameter something is kept for, if for one, and where."""


def tagged(
    memory: Memory, held: Iterable[Slot], names: Mapping[tuple[str, ...], str], first: Collection[Any],
    point: dict[Node, float], changing: Collection[tuple[str, ...]],
) -> dict[Key, Node]:  # fmt: skip
    """The symbols of plain numbers that the first step did not leave, which they are given, so that reading them shows.

    Of those alone whose paths are `changing`, as an earlier run showed. `point` is told their values.
    """
    found: dict[Key, Node] = {}
    for slot in held:
        key = (slot.owner, slot.path)
        if key in first or slot.path not in changing or slot.is_tensor or slot.put is None:
            continue
        node = expr.sym(names[slot.path], (-1 if slot.owner is None else slot.owner, 0))
        value = bare(slot.value)
        point[node] = float(value)
        slot.put(memory.trace.tag(value, node))
        found[key] = node
    return found


def missed(
    memory: Memory, still: Mapping[Key, Nodes], after: Mapping[Key, Slot], changed: Any
) -> frozenset[tuple[str, ...]]:
    """The paths that the generic step changed, of what had no symbol."""
    return frozenset(
        key[1] for key, nodes in still.items()
        if key in after
        and differ(*(schedule.unchanged(n, changed) for n in (nodes, number_node(memory, after[key]))))
    )  # fmt: skip


def read(
    paths: Collection[tuple[str, ...]], symbols: Mapping[Key, Node], results: Iterable[Nodes],
    conditions: Iterable[Condition],
) -> frozenset[tuple[str, ...]]:  # fmt: skip
    """Those of `paths` that some result or branch of the step depends on; of what has no symbol nothing is known."""
    used = expr.symbols(*(n for nodes in results for n in nodes), *(c.node for c in conditions))
    idle = {path for (_, path), node in symbols.items() if node not in used}
    return frozenset(path for path in paths if path not in idle)


def settled(conditions: Sequence[Condition], written: Iterable[tuple[Node, Node, Nodes | None]]) -> list[Condition]:
    """The branches without those that ask whether what was written in an earlier step is the number of this one.

    It never is: `written` are plain numbers as symbols, what the step leaves there, and what was there at first.
    Whatever becomes the number of each step in which it is written at all is the number of an earlier one, or what it
    began with, which is before the first.
    """
    past = {(node, after) for node, after, start in written if T in expr.symbols(after) and _before(start)}

    def asks(c: Condition) -> bool:
        unequal = c.assumed.op == "ne" and len(c.assumed.args) == 2
        return unequal and bool({c.assumed.args, c.assumed.args[::-1]} & past)

    return [c for c in conditions if not asks(c)]


def revisited(conditions: Iterable[Condition], symbols: Mapping[Key, Node], history: Mapping[Key, list[Any]]) -> bool:
    """Whether a branch was taken because the number of an earlier step, that is kept, is said to be that of this one.

    No step has it: the generic one was given the number of one that had been taken.
    """
    past = {node for key, node in symbols.items() if _numbers_a_step(history.get(key, []), history)}
    return any(c.assumed.op == "eq" and T in c.assumed.args and past & set(c.assumed.args) for c in conditions)


def _numbers_a_step(values: Sequence[Any], history: Mapping[Key, list[Any]]) -> bool:
    """Whether the last of what was kept after each step is the number of the step that wrote it."""
    if not values or isinstance(values[-1], torch.Tensor):
        return False
    place = values[-1] - 1 - (max(map(len, history.values())) - len(values))  # some begin later than others
    return place in range(len(values)) and values[int(place)] == values[-1] != (
        values[int(place) - 1] if place else None
    )


def _before(start: Nodes | None) -> bool:
    """Whether something began with no number, or with one that comes before the first step's."""
    if start is None:
        return True
    value = expr.number(start[0])
    return value is not None and value <= 0
