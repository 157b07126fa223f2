"""Random number generators besides torch's own: those an optimizer holds, and those its package keeps in modules."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode

T = TypeVar("T")


class Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its modes untyped
    """Counts the operations that draw random numbers, whichever generator they draw from."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += torch.Tag.nondeterministic_seeded in func.tags
        return func(*args, **(kwargs or {}))


def drawing(build: Any, live: Callable[[], T]) -> tuple[T, bool]:
    """What `live()` returns, and whether it drew from a generator that a class's package makes and nobody can look at.

    A step may make one, seeded with its number, and forget it.
    """
    if not _makers(getattr(build, "__module__", "").partition(".")[0]):
        return live(), False
    with Draws() as draws:  # type: ignore[no-untyped-call]
        found = live()
    return found, draws.count > 0


def generators(living: Any) -> dict[str, bytes]:
    """The states of the generators among the attributes and in the groups, by name."""
    groups = getattr(living, "param_groups", None) or [{}]
    held = {**getattr(living, "__dict__", {}), **(groups[0] if isinstance(groups[0], Mapping) else {})}
    return {
        name: value.get_state().numpy().tobytes() for name, value in held.items() if isinstance(value, torch.Generator)
    }


def rewound(build: Any) -> bool:
    """Puts the generators in the modules of a class's package back to where they began; whether one had left it.

    So a run can be repeated. Those that a step makes when it first needs them begin there, too.
    """
    moved = False
    for generator in _in_modules(getattr(build, "__module__", "")):
        before = generator.get_state()
        generator.manual_seed(generator.initial_seed())
        moved |= not torch.equal(before, generator.get_state())
    return moved


def _in_modules(name: str) -> Iterator[torch.Generator]:
    """The generators among the globals of a module's package, alone or in a dictionary or list."""
    for module in _makers(name.partition(".")[0]):
        for value in vars(module).values():
            parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
            yield from (part for part in parts if isinstance(part, torch.Generator))


def _makers(package: str) -> tuple[ModuleType, ...]:
    """The modules of a package, of those imported by now, whose source makes a generator; torch's own is left out."""
    return () if package in ("", "torch", "builtins") else _among(package, len(sys.modules))


@functools.lru_cache(maxsize=16)
def _among(package: str, modules: int) -> tuple[ModuleType, ...]:
    """The same, looked for again where more or fewer modules are there than before."""
    mine = [m for n, m in sys.modules.items() if n.partition(".")[0] == package and isinstance(m, ModuleType)]
    return tuple(module for module in mine if "Generator(" in _text(module))


@functools.cache
def _text(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return ""
