"""A learning rate that changes between steps, as schedulers change it: what the code still knows of the old one.

Before the generic step the `lr` of every parameter group gets another value and a symbol of its own. Code that reads
its group follows; code that kept the value it was built with shows the old symbol, which then is called `lr_initial`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.memory import Memory, Nodes
from verifier.lift.ranges import ranges
from verifier.lift.scalars import Condition, TaggedFloat

RATES = ("lr", "learning_rate")
"""Hyperparameters a scheduler changes, under the key `lr` of a group."""

_APART = 1 - 2.0**-20  # apart in every format, and close enough to take the same branches


def at_first(name: str, value: float) -> float:
    """What a hyperparameter is while the optimizer is built and takes its first steps."""
    return value * _APART if name in RATES else value


def initial(name: str) -> Node:
    """The symbol of a rate as it was when the optimizer was built."""
    return expr.sym(f"{name}_initial")


def _now(name: str) -> Node:
    return expr.sym(f"{name} now")


def change(optimizer: Any, memory: Memory, chosen: Mapping[str, float]) -> tuple[str, ...]:
    """Sets the rates of all parameter groups to `chosen`, each with a new symbol; the names of those changed.

    A tensor is filled in place, as torch's schedulers do. A rate the optimizer has computed is left alone.
    """
    changed: dict[str, None] = {}
    for group in getattr(optimizer, "param_groups", ()):
        held = group.get("lr") if isinstance(group, dict) else None
        if isinstance(held, torch.Tensor) and held.numel() == 1:
            name = _rate(memory.item(held))
            if name in chosen:
                with torch.no_grad():
                    held.fill_(chosen[name])
                memory.write(held, _now(name))
                changed[name] = None
        elif isinstance(held, TaggedFloat) and (name := _rate(held.node)) in chosen:
            group["lr"] = memory.trace.tag(chosen[name], _now(name))
            changed[name] = None
    for name in changed:
        if expr.sym(name) in ranges:
            ranges[_now(name)] = ranges[expr.sym(name)]
    return tuple(changed)


def _rate(node: Node) -> str:
    return node.args[0] if node.op == "sym" and node.args[0] in RATES else ""


def unchanged(nodes: Nodes, changed: Iterable[str]) -> Nodes:
    """Expressions as they would be with the old rates: what only keeps the rate at hand is no state."""
    made: Nodes = np.empty(len(nodes), dtype=object)
    made[:] = expr.rebuild(nodes, {_now(n): expr.sym(n) for n in changed})
    return made


def names(changed: Iterable[str]) -> dict[Node, Node]:
    """The new symbols called by the plain name, and the old ones initial."""
    return {s: r for n in changed for s, r in ((expr.sym(n), initial(n)), (_now(n), expr.sym(n)))}


def merged(changed: Iterable[str] = RATES) -> dict[Node, Node]:
    """The initial rates called by the plain name: right while no scheduler changes them."""
    return {initial(n): expr.sym(n) for n in changed}


def renamed(conditions: Iterable[Condition], table: Mapping[Node, Node]) -> list[Condition]:
    """Conditions in the names of `table`."""
    conditions = list(conditions)
    nodes = expr.rebuild([c.node for c in conditions], table)
    return [replace(c, node=n) for c, n in zip(conditions, nodes, strict=True)]


def kept(roots: Iterable[Node]) -> tuple[str, ...]:
    """The rates of which expressions read the initial value."""
    found = expr.symbols(*roots)
    return tuple(n for n in RATES if initial(n) in found)
