"""What constructors must be given, and options that they name nowhere and take by **kwargs: found by building."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch

SWITCHES = ("foreach", "fused", "capturable", "differentiable", "maximize")
"""Options that choose an implementation, or that cases have a field of their own for."""

REQUIRED: dict[str, Any] = {
    "lr": 0.01, "learning_rate": 0.01, "momentum": 0.9, "beta": 0.9, "beta1": 0.9, "beta2": 0.99, "rho": 0.05,
    "weight_decay": 0.1, "wd": 0.1, "eps": 1e-2, "alpha": 0.5, "betas": (0.9, 0.99), "gamma": 0.5, "k": 5,
    "num_training_steps": 1000, "total_steps": 1000, "num_iterations": 1000, "num_epochs": 10, "max_iters": 1000,
    "num_batches_per_epoch": 10, "num_data": 100, "base_optimizer": torch.optim.SGD,
    "t_total": 1000, "ess": 1000.0, "nbd": 0.5, "clip_value": 10.0, "clip": 10.0, "nu": 0.7, "max_iter": 1000,
    "iters": 1000, "amsgrad": False, "warmup_steps": 10, "num_warmup_steps": 10, "max_unorm": 1.0,
    "trust_coefficient": 0.01,
}  # fmt: skip
"""What arguments may be that have no default, by name."""

DECAY_NAMES = ("weight_decay", "wd", "l2", "weight_decay_rate", "weight_decay_coefficient", "l2_reg", "decay")
"""Arguments that switch weight decay on; they are symbolic even where their default is 0."""

_NONE = frozenset({"params", "param_names", "step", "steps", "t", "k", "initial_lr", *SWITCHES})
"""What groups hold besides options of the step."""


def completed(
    build: Callable[..., Any], first: str, named: Sequence[inspect.Parameter], given: Mapping[str, Any]
) -> list[inspect.Parameter]:
    """The constructor's arguments `named`, those that **kwargs set, and 0 for a weight decay of None that is none."""
    named = [*named, *by_keyword(build, first, named, given)]
    return [p.replace(default=0.0) if _is_no_decay(build, first, p, given) else p for p in named]


def _is_no_decay(build: Callable[..., Any], first: str, p: inspect.Parameter, given: Mapping[str, Any]) -> bool:
    """Whether the argument is a weight decay whose default of None steps as 0 does, and which may be another number."""
    if p.default is not None or p.name not in DECAY_NAMES or p.name in given:
        return False
    moved = [_moved(build, first, {**given, p.name: value}) for value in (None, 0.0, 0.5)]
    none, nought, half = moved
    return none is not None and nought is not None and half is not None and torch.equal(none, nought)


def _moved(build: Callable[..., Any], first: str, given: Mapping[str, Any]) -> torch.Tensor | None:
    """Where two steps lead; None where they cannot be taken."""
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
    try:
        made = build(**{first: [parameter]}, **given)
        for sign in (1, -1):
            parameter.grad = sign * torch.tensor([0.5, 0.25, -1.0], dtype=torch.float64)
            made.step()
    except Exception:  # foreign code, given what it may not take
        return None
    return parameter.detach()


def by_keyword(
    build: Callable[..., Any], first: str, named: Iterable[inspect.Parameter], given: Mapping[str, Any]
) -> list[inspect.Parameter]:
    """The numbers, switches and tuples of numbers of a group that **kwargs set, as parameters with their defaults.

    `first` takes the parameters, `given` are arguments that the constructor must have. Empty where it takes no
    **kwargs, cannot be built, or builds something without groups.
    """
    named = list(named)
    if not any(p.kind is p.VAR_KEYWORD for p in named):
        return []
    own = _group(build, first, given)
    known = {p.name for p in named} | _NONE
    found = []
    for name, value in own.items():
        other = _another(value)
        if name in known or other is None:
            continue
        set_to = _group(build, first, {**given, name: other}).get(name)
        if set_to is not None and type(set_to) is type(other) and set_to == other:
            found.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value))
    return found


def required(parameters: Iterable[inspect.Parameter], first: str) -> dict[str, Any]:
    """Values for the arguments that a constructor must have, besides the parameters, where one is known."""
    return {
        p.name: REQUIRED[p.name] for p in parameters if _must_be_given(p) and p.name in REQUIRED and p.name != first
    }


def _must_be_given(p: inspect.Parameter) -> bool:
    return p.default is p.empty or type(p.default).__name__ == "_RequiredParameter"


def _group(build: Callable[..., Any], first: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The only group of an optimizer over one parameter; empty where there is none."""
    try:
        made = build(**{first: [torch.nn.Parameter(torch.ones(3, dtype=torch.float64))]}, **given)
        return dict(made.param_groups[0])
    except Exception:  # foreign code, given what it may not take
        return {}


def _another(value: Any) -> Any:
    """Another value of the same kind, in any range that the value is in; None for what is no option."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 if value else 0.125
    if isinstance(value, tuple) and value and all(isinstance(part, float) for part in value):
        return tuple(part / 2 for part in value)
    return None
