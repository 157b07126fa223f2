"""Where an optimizer keeps what it remembers: `state[p]`, entries of groups, attributes, nested containers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

_DEPTH = 5
_SKIPPED = frozenset({"state", "param_groups", "defaults", "params"})
_HOOKS = re.compile(r"^_(optimizer|zero_grad|patch|warned|step_count$|opt_called|profile|cuda|hook)|hooks?($|_)")


@dataclass(frozen=True)
class Slot:
    """One remembered tensor or number: its path, how to replace it, and the parameter it belongs to, if one."""

    path: tuple[str, ...]
    owner: int | None
    value: Any
    put: Callable[[Any], None] | None  # None where the container cannot be changed

    @property
    def is_tensor(self) -> bool:
        return isinstance(self.value, torch.Tensor)


def slots(optimizer: Any, parameters: Sequence[torch.Tensor]) -> list[Slot]:
    """Every tensor and number an optimizer remembers, parameters and gradients left out, each memory once."""
    owners = {id(p): k for k, p in enumerate(parameters)}
    seen: set[int] = {p.untyped_storage()._cdata for p in parameters}
    seen |= {p.grad.untyped_storage()._cdata for p in parameters if p.grad is not None}
    found: list[Slot] = []
    for slot in _walk(optimizer, owners, (), None, 0, set()):
        if slot.is_tensor:
            key = slot.value.untyped_storage()._cdata
            if key in seen or slot.value.numel() == 0:
                continue
            seen.add(key)
        found.append(slot if slot.owner is not None else _owned(slot, parameters))
    return found


def _owned(slot: Slot, parameters: Sequence[torch.Tensor]) -> Slot:
    """A tensor kept outside `state[p]` given to the one parameter of its shape; its path without that one's name."""
    if not slot.is_tensor or slot.value.numel() < 2:
        return slot
    fits = [k for k, p in enumerate(parameters) if p.shape == slot.value.shape]
    if len(fits) != 1 or not {f"weight{fits[0]}", str(fits[0])} & set(slot.path[1:]) or slot.path[0] == "param_groups":
        return slot
    path = tuple(w for w in slot.path[1:] if w not in (f"weight{fits[0]}", str(fits[0])))
    return replace(slot, owner=fits[0], path=(slot.path[0], *path))


def _walk(
    holder: Any, owners: Mapping[int, int], path: tuple[str, ...], owner: int | None, depth: int, visited: set[int]
) -> Iterator[Slot]:
    if depth > _DEPTH or id(holder) in visited:
        return
    visited.add(id(holder))
    for key, value, put in _entries(holder):
        if id(key) in owners and not isinstance(key, str | int):
            yield from _entry(value, owners, path, owners[id(key)], depth, visited, put)
        else:
            yield from _entry(value, owners, (*path, str(key)), owner, depth, visited, put)


def _entry(
    value: Any,
    owners: Mapping[int, int],
    path: tuple[str, ...],
    owner: int | None,
    depth: int,
    visited: set[int],
    put: Callable[[Any], None] | None,
) -> Iterator[Slot]:
    if id(value) in owners or isinstance(value, torch.nn.Module | torch.Generator):
        return
    if isinstance(value, torch.Tensor):
        if value.layout == torch.strided:
            yield Slot(path, owner, value, put)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Slot(path, owner, value, put)
    elif isinstance(value, dict | list | tuple) or _has_state(value):
        yield from _walk(value, owners, path, owner, depth + 1, visited)


def _has_state(value: Any) -> bool:
    """Whether an object is part of the optimizer: another optimizer, or an instance of its package's classes."""
    if isinstance(value, torch.optim.Optimizer):
        return True
    module = type(value).__module__
    foreign = ("torch", "numpy", "builtins", "functools", "collections")
    return hasattr(value, "__dict__") and not module.startswith(foreign)


def _entries(holder: Any) -> Iterator[tuple[Any, Any, Callable[[Any], None] | None]]:
    """What a container or object holds: key, value, how to replace the value."""

    def setter(container: Any, key: Any) -> Callable[[Any], None]:
        def put(new: Any) -> None:
            container[key] = new

        return put

    if isinstance(holder, dict):
        for place, (key, value) in enumerate(list(holder.items())):
            if isinstance(key, str) or hasattr(key, "shape"):
                if not isinstance(key, str) or key != "params":
                    yield key, value, setter(holder, key)
            else:  # numbers as keys change with the hyperparameters
                yield str(place), value, setter(holder, key)
    elif isinstance(holder, list):
        for k, value in enumerate(holder):
            yield k, value, setter(holder, k)
    elif isinstance(holder, tuple):
        for k, value in enumerate(holder):
            yield k, value, None
    else:
        if hasattr(holder, "param_groups"):  # torch's optimizers, and bases copied from them
            yield "state", getattr(holder, "state", {}), None
            yield "param_groups", getattr(holder, "param_groups", []), None
        for key, value in list(vars(holder).items()):
            if key not in _SKIPPED and not _HOOKS.search(key):

                def put(new: Any, key: str = key) -> None:
                    setattr(holder, key, new)

                yield key, value, put


RESERVED = frozenset({"theta", "g", "t", "loss"})
"""Names a rule has for other things than state."""


def short_names(paths: Sequence[tuple[str, ...]], taken: Collection[str] = ()) -> dict[tuple[str, ...], str]:
    """A readable identifier for each path: its last word, with as many words before it as it takes to be unique.

    One that is `taken`, by a hyperparameter, or reserved gets `_state` behind it.
    """
    names: dict[tuple[str, ...], str] = {}
    unique = list(dict.fromkeys(paths))
    for path in unique:
        words = [w for w in path if w not in ("state", "param_groups")] or list(path)
        for count in range(1, len(words) + 1):
            tail = words[-count:]
            if tail[0].isdigit() and count < len(words):
                continue
            if sum(_tail(p, count) == tail for p in unique) == 1 or count == len(words):
                name = _identifier("_".join(tail))
                names[path] = f"{name}_state" if name in RESERVED or name in taken else name
                break
    return names


def _tail(path: tuple[str, ...], count: int) -> list[str]:
    words = [w for w in path if w not in ("state", "param_groups")] or list(path)
    return words[-count:]


def _identifier(text: str) -> str:
    cleaned = re.sub(r"\W+", "_", text).strip("_") or "state"
    return f"s_{cleaned}" if cleaned[0].isdigit() else cleaned
