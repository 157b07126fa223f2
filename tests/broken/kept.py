"""Wrong in what is kept beside the parameters, which no step may read."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.optimizers import Right


class KeepsItsAverage(Right):
    """An average of the parameters is kept; foreach makes it before any step, and rounds otherwise: right."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"] if group["foreach"] else ():
                self.state[p].setdefault("average", p.clone())
        return super().step(closure)

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        if "momentum" not in state:
            state["step"], state["momentum"] = 0, torch.zeros_like(p)
            state.setdefault("average", p.clone())
        super().one(p, group)
        self.averaged(p, state, group)

    def averaged(self, p: Any, state: Any, group: Any) -> None:
        average = state["average"]
        if group["foreach"]:
            average.add_(p - average, alpha=0.25)
        else:
            average.mul_(0.75).add_(p, alpha=0.25)


class ForeachAveragesBackwards(KeepsItsAverage):
    """The average that foreach keeps goes away from the parameters; no step reads it."""

    def averaged(self, p: Any, state: Any, group: Any) -> None:
        if group["foreach"]:
            average = state["average"]
            average.sub_(p - average, alpha=0.25)
        else:
            super().averaged(p, state, group)


class KeepsItsLargest(Right):
    """A switch has the largest gradients kept, by which steps are divided: right."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, bounded: bool = False) -> None:
        super().__init__(params, lr, momentum)
        self.defaults["bounded"] = bounded
        for group in self.param_groups:
            group.setdefault("bounded", bounded)

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        if not group["bounded"]:
            return grad
        largest = self.state[p].setdefault("largest", torch.zeros_like(p))
        self.enlarge(largest, grad)
        return grad / (largest + 0.5)

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        if not state:
            state["step"], state["momentum"] = 0, torch.zeros_like(p)
        super().one(p, group)

    def enlarge(self, largest: Any, grad: Any) -> None:
        torch.maximum(largest, grad.abs(), out=largest)


class ForgetsItsLargest(KeepsItsLargest):
    """The largest gradients are computed, and kept nowhere."""

    def enlarge(self, largest: Any, grad: Any) -> None:
        torch.maximum(largest, grad.abs())


HELD: tuple[tuple[type[Optimizer], str], ...] = (
    (KeepsItsAverage, "implementations"),
    (KeepsItsLargest, "acting_switches"),
)
"""Right optimizers, and contracts that look as if they were not."""

REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (ForeachAveragesBackwards, "implementations"),
    (ForgetsItsLargest, "acting_switches"),
)
"""Each mistake, and a contract that must reject it."""
