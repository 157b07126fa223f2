"""Classes that sort what they are given into parameter groups of their own, as matrices and vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from verifier.case import Case, Group, Refused


class Holder(torch.nn.Module):
    """A model that holds parameters and nothing else."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        super().__init__()
        for k, p in enumerate(parameters):
            self.register_parameter(f"weight{k}", p if isinstance(p, torch.nn.Parameter) else torch.nn.Parameter(p))


def sole(first: str) -> bool:
    """Whether an argument of that name takes a model or named parameters, which are one group."""
    return first in ("model", "models", "module") or first.startswith("named")


def as_named(first: str, parameters: Sequence[Tensor]) -> Any:
    """The parameters as an argument takes them that is called `first`, of which `sole` is true."""
    holder = Holder(parameters)
    return holder if "model" in first or "module" in first else list(holder.named_parameters())


def sorts(build: Callable[..., Any], first: str, given: Mapping[str, Any]) -> bool:
    """Whether the constructor makes several groups of a matrix and a vector that it is given as one."""
    parameters = [torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(3))]
    try:
        made = build(**{first: as_named(first, parameters) if sole(first) else parameters}, **given)
        return len(made.param_groups) > 1
    except Exception:  # foreign code, given what it may not take
        return False


def sorting(subject: Any) -> bool:
    """Whether the class of a subject sorts parameters into groups of its own."""
    return bool(getattr(getattr(subject, "signature", None), "sorts", False))


def takes_groups(subject: Any) -> None:
    """Refused where the class makes the groups itself, so that one that is added is not what it would have made."""
    if sorting(subject):
        raise Refused("it sorts parameters into groups of its own")


def paired(subject: Any, case: Case, joined: Sequence[int], groups: Sequence[Any]) -> Iterable[tuple[Group, Any]]:
    """The optimizer's groups, each beside the one of the case that it is, or is made of."""
    own = [case.all_groups[k] for k in joined]
    if not sorting(subject):
        return zip(own, groups, strict=True)
    if len(own) > 1:
        takes_groups(subject)
    return [(own[0], group) for group in groups]


def changed(
    subject: Any, group: Mapping[str, Any], before: Mapping[str, Any], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """The options that a schedule changes in a group; what a class gave it otherwise than asked stays as it is."""
    new = {name: value for name, value in wanted.items() if value != before[name]}
    return {name: value for name, value in new.items() if not sorting(subject) or group.get(name) == before[name]}
