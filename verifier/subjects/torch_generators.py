"""Random number generators besides torch's own: those an optimizer holds, and those its package keeps in modules."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import torch


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


@functools.cache
def _makers(package: str) -> tuple[ModuleType, ...]:
    """The modules of a package, of those imported by now, whose source makes a generator; torch's own is left out."""
    if package in ("", "torch", "builtins"):
        return ()
    mine = [m for n, m in sys.modules.items() if n.partition(".")[0] == package and isinstance(m, ModuleType)]
    return tuple(module for module in mine if "Generator(" in _text(module))


def _text(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return ""
