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


REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (AddsWhatItShouldSubtract, "direction"),
    (BeginsAnewEachStep, "acting_rates"),
)
"""Each mistake, and a contract that must reject it."""
