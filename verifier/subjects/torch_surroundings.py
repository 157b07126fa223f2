"""The process around an optimizer: what one must leave as it found it, whether it did, and putting it back."""

from __future__ import annotations

import builtins
import math
import operator
import os
import random
import sys
import time
import types
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

NAMESPACES: tuple[tuple[str, Any], ...] = (
    ("torch", torch),
    ("torch.Tensor", torch.Tensor),
    ("torch.optim", torch.optim),
    ("torch.optim.Optimizer", torch.optim.Optimizer),
    ("torch.nn.functional", torch.nn.functional),
    ("torch.autograd", torch.autograd),
    ("math", math),
    ("time", time),
    ("builtins", builtins),
)
"""Where nobody but their owners may assign: (name, module or class)."""

_OURS = frozenset({"_"})
"""`builtins._` belongs to the interactive prompt."""


@dataclass(frozen=True)
class Surroundings:
    """A snapshot; `changes` says what differs from it now, `restore` puts it back."""

    settings: dict[str, Any]
    filters: list[Any]
    environment: dict[str, str]
    generators: tuple[Any, Any, Any]
    names: tuple[dict[str, Any], ...]

    def changes(self) -> list[str]:
        """What differs now, a phrase each. Drawing random numbers is not a change."""
        now = snapshot()
        found = [
            f"{name} from {before} to {now.settings[name]}"
            for name, before in self.settings.items()
            if now.settings[name] != before
        ]
        if now.filters != self.filters:
            found.append("warnings.filters")
        if now.environment != self.environment:
            found.append("os.environ")
        for (where, _), before, after in zip(NAMESPACES, self.names, now.names, strict=True):
            for name in sorted(set(before) | set(after)):
                if name not in _OURS and before.get(name) is not after.get(name) and not _lazy(before, after, name):
                    found.append(f"{where}.{name}")
        return found

    def restore(self) -> None:
        """Puts everything back."""
        settings = self.settings
        torch.set_default_dtype(settings["the default dtype"])
        if torch.get_num_threads() != settings["the number of threads"]:
            torch.set_num_threads(settings["the number of threads"])
        strict, warn = settings["deterministic algorithms"]
        torch.use_deterministic_algorithms(strict, warn_only=warn)
        torch.set_grad_enabled(settings["grad mode"])
        torch.autograd.set_detect_anomaly(settings["anomaly mode"])
        warnings.filters[:] = self.filters  # type: ignore[index]  # a list, whatever its stub says
        if os.environ != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        sys.setrecursionlimit(settings["the recursion limit"])
        np.seterr(**settings["numpy's error handling"])
        torch.set_rng_state(self.generators[0])
        random.setstate(self.generators[1])
        np.random.set_state(self.generators[2])
        for (_, owner), before in zip(NAMESPACES, self.names, strict=True):
            after = vars(owner)
            if len(after) == len(before) and all(map(operator.is_, after.values(), before.values())):
                continue  # the same objects in the same places, so under the same names
            for name in [n for n in after if n not in before and n not in _OURS and not _is_module(after[n])]:
                delattr(owner, name)
            for name, value in before.items():
                if after.get(name) is not value:
                    setattr(owner, name, value)


def snapshot() -> Surroundings:
    """The process as it is now."""
    return Surroundings(
        settings={
            "the default dtype": torch.get_default_dtype(),
            "the number of threads": torch.get_num_threads(),
            "deterministic algorithms": (
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            ),
            "grad mode": torch.is_grad_enabled(),
            "anomaly mode": torch.is_anomaly_enabled(),
            "the recursion limit": sys.getrecursionlimit(),
            "numpy's error handling": np.geterr(),
        },
        filters=list(warnings.filters),
        environment=dict(os.environ),
        generators=(torch.get_rng_state(), random.getstate(), np.random.get_state()),
        names=tuple(dict(vars(owner)) for _, owner in NAMESPACES),
    )


def _is_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType)


def _lazy(before: dict[str, Any], after: dict[str, Any], name: str) -> bool:
    """Whether a name appeared because a submodule was imported, which is no change."""
    return name not in before and _is_module(after[name])
