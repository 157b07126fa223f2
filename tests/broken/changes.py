"""Wrong in what changes, is cleared or is said between steps: options, gradients, a loss that nobody needed."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer
from torch.utils.weak import WeakTensorKeyDictionary

from tests.broken.optimizers import Right


class DecaysWithTheLastDecay(Right):
    """The weight decay of a step is the one that the group had a step ago."""

    def gradient(self, p: Any, group: Any) -> Any:
        state = self.state[p]
        last, state["decay"] = state.get("decay", group["weight_decay"]), group["weight_decay"]
        return super().gradient(p, {**group, "weight_decay": last})

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        state.setdefault("step", 0)
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        super().one(p, group)


class HoldsFirstDecayOfOthers(Right):
    """Parameters that are not the first of their group keep the weight decay of their first step."""

    def __init__(self, params: Any, lr: float = 0.1, **options: Any) -> None:
        self.first: Any = WeakTensorKeyDictionary()
        super().__init__(params, lr=lr, **options)

    def gradient(self, p: Any, group: Any) -> Any:
        decay = group["weight_decay"]
        if p is not group["params"][0]:
            decay = self.first.setdefault(p, decay)
        return super().gradient(p, {**group, "weight_decay": decay})


class MeasuresMomentumByItsFirst(Right):
    """Gradients are weighed with the momentum that the optimizer was first stepped with, whatever it is now."""

    def gradient(self, p: Any, group: Any) -> Any:
        self.weighed: float = getattr(self, "weighed", group["momentum"])
        return super().gradient(p, group) * (1 - self.weighed)


class AscendsAsBuilt(Right):
    """Whether a group ascends is what the constructor was told, not what the group says."""

    def gradient(self, p: Any, group: Any) -> Any:
        return super().gradient(p, {**group, "maximize": self.defaults["maximize"]})


class LeavesGradientsOfTheLast(Right):
    """zero_grad forgets the last group, where there are several."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        for group in self.param_groups[: max(1, len(self.param_groups) - 1)]:
            for p in group["params"]:
                p.grad = None


class KeepsTheLossToItself(Right):
    """A step in which nothing has a gradient returns no loss."""

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        return loss if any(p.grad is not None for group in self.param_groups for p in group["params"]) else None


REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (DecaysWithTheLastDecay, "schedule"),
    (HoldsFirstDecayOfOthers, "schedule"),
    (MeasuresMomentumByItsFirst, "schedule"),
    (AscendsAsBuilt, "maximize"),
    (LeavesGradientsOfTheLast, "zero_grad"),
    (KeepsTheLossToItself, "closure"),
)
"""Each mistake, and a contract that must reject it."""
