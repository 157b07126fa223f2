"""Wrong in options that are named and not read: a switch, a name that is only kept, an argument of another function."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.optimizers import Right


class NeverAsksItsSwitch(Right):
    """A switch is taken, and no step asks it."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, sharpened: bool = False) -> None:
        super().__init__(params, lr, momentum)
        self.defaults["sharpened"] = sharpened
        for group in self.param_groups:
            group.setdefault("sharpened", sharpened)


class KeepsItsShareIdly(Right):
    """A share is read into a variable, and a number stands where that should."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, gentleness: float = 0.75) -> None:
        super().__init__(params, lr, momentum)
        self.defaults["gentleness"] = gentleness
        for group in self.param_groups:
            group.setdefault("gentleness", gentleness)

    def one(self, p: Any, group: Any) -> None:
        gentleness = group["gentleness"]  # noqa: F841  # that is what is wrong with it
        super().one(p, {**group, "momentum": 0.75 * group["momentum"]})


class NeverReadsSlope(Right):
    """A slope has the name of an argument of a function of torch's, by which no step reads it."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, negative_slope: float = 0.75) -> None:
        super().__init__(params, lr, momentum)
        self.defaults["negative_slope"] = negative_slope
        for group in self.param_groups:
            group.setdefault("negative_slope", negative_slope)

    def gradient(self, p: Any, group: Any) -> Any:
        return torch.nn.functional.leaky_relu(super().gradient(p, group), negative_slope=1.0)


class TakesNoDampening(Right):
    """What is handed on as dampening is the momentum."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, dampening: float = 0.0) -> None:
        super().__init__(params, lr, momentum)
        self.defaults["dampening"] = dampening
        for group in self.param_groups:
            group.setdefault("dampening", dampening)

    def gradient(self, p: Any, group: Any) -> Any:
        return self.dampened(super().gradient(p, group), dampening=group["momentum"])

    def dampened(self, grad: Any, dampening: float) -> Any:
        return grad * (1 - dampening)


class ReadsByList(Right):
    """What acts on large gradients alone is read by a list of names: right."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, steepness: float = 0.75) -> None:
        super().__init__(params, lr, momentum)
        self.defaults["steepness"] = steepness
        for group in self.param_groups:
            group.setdefault("steepness", steepness)

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        (power,) = (group[name] for name in ("steepness",))
        return torch.where(grad.abs() > 1e6, grad.sign() * grad.abs() ** power, grad)


HELD: tuple[tuple[type[Optimizer], str], ...] = ((ReadsByList, "read_options"),)
"""Right optimizers, and contracts that look as if they were not."""

REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (NeverAsksItsSwitch, "read_options"),
    (KeepsItsShareIdly, "read_options"),
    (NeverReadsSlope, "read_options"),
    (TakesNoDampening, "acting_rates"),
)
"""Each mistake, and a contract that must reject it."""
