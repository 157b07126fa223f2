"""Optimizers that go the wrong way, nowhere, or the same way whatever they are told."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.optimizers import Right


class AddsWhatItShouldSubtract(Right):
    """A step goes up the gradient."""

    def gradient(self, p: Any, group: Any) -> Any:
        return -super().gradient(p, group)


class BeginsAnewEachStep(Right):
    """The momentum buffer is made anew in every step, so that momentum does nothing; Nesterov's form is left out."""

    def one(self, p: Any, group: Any) -> None:
        grad = self.gradient(p, group)
        self.state[p] = {"momentum": torch.zeros_like(p)}
        self.state[p]["momentum"].mul_(group["momentum"]).add_(grad)
        p.add_(self.state[p]["momentum"], alpha=-group["lr"])


class DecaysByAnyValue(Right):
    """Weight decay is a switch: whatever its value is, all of the parameter is added to the gradient."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = -p.grad if group["maximize"] else p.grad
        return grad.add(p) if group["weight_decay"] != 0 else grad


class DecaysToTheFactor(Right):
    """The parameter is multiplied by what it should lose: with decay on, almost nothing of it is left."""

    def one(self, p: Any, group: Any) -> None:
        if group["weight_decay"] != 0:
            p.mul_(group["lr"] * group["weight_decay"])
        super().one(p, {**group, "weight_decay": 0.0})


REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (AddsWhatItShouldSubtract, "direction"),
    (BeginsAnewEachStep, "acting_rates"),
    (DecaysByAnyValue, "faint_decay"),
    (DecaysToTheFactor, "faint_decay"),
)
"""Each mistake, and a contract that must reject it."""
