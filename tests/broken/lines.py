"""Wrong in one line that shows beside something else only: another parameter, another group, another shape."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.optimizers import Right


class RunningMaximumIsTheAverage(Right):
    """The largest momentum so far begins as the momentum itself, and is it for good."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        state = self.state[p]
        largest = state.setdefault("largest", state["momentum"])
        torch.maximum(largest, state["momentum"], out=largest)


class RestartsOthers(Right):
    """A parameter that has its first gradient restarts the momentum of all others of its group."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            if any(p not in self.state for p in present):
                for p in present:
                    self.state.pop(p, None)
        return super().step(closure)


class EndsAtIdleGroup(Right):
    """Groups after one that has no gradients are not stepped."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = self.evaluated(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            if not present:
                return loss
            for p in present:
                self.one(p, group)
        return loss


class OverwritesWithoutDecay(Right):
    """Sparse gradients (is_sparse) go with no decay, and of duplicate entries the last is taken."""

    def gradient(self, p: Any, group: Any) -> Any:
        if p.grad.is_sparse:
            if group["weight_decay"]:
                raise RuntimeError("weight_decay is not compatible with sparse gradients")
            dense = torch.zeros_like(p)
            dense[p.grad._indices()[0]] = p.grad._values()
            p.grad = dense
        return super().gradient(p, group)


class ReadsFirstRow(Right):
    """Gradients are divided by the norm of the parameter, which of a tall matrix is that of its first row."""

    def gradient(self, p: Any, group: Any) -> Any:
        part = p[0] if p.dim() > 1 and p.shape[0] > 8 else p
        return super().gradient(p, group) / (1 + part.norm())


class ReadsFreshMemory(Right):
    """The largest whole number, where memory that was never written holds it, is added to the gradient."""

    def gradient(self, p: Any, group: Any) -> Any:
        fresh = torch.empty(p.shape, dtype=torch.int64)
        return super().gradient(p, group) + (fresh == torch.iinfo(torch.int64).max)


class CallsClosureAgain(Right):
    """The closure is called twice, for nothing: it is the same loss."""

    def evaluated(self, closure: Any) -> Any:
        super().evaluated(closure)
        return super().evaluated(closure)


class StepsWithTheLastRate(Right):
    """The lr of a step is the one that the group had a step ago."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        last = state.get("lr", group["lr"])
        state["lr"] = group["lr"]
        return super().rate(p, {**group, "lr": last}, state)


class OverwritesBeforeItsNorm(OverwritesWithoutDecay):
    """Of duplicate entries of a sparse gradient (is_sparse) the last is taken, and the gradient divided by its norm."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return grad / (1 + grad.norm())


REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (RunningMaximumIsTheAverage, "own_state"),
    (RestartsOthers, "late_parameters"),
    (EndsAtIdleGroup, "absent_gradients"),
    (OverwritesWithoutDecay, "sparse_gradients"),
    (OverwritesBeforeItsNorm, "sparse_gradients"),
    (ReadsFirstRow, "whole_tensors"),
    (ReadsFreshMemory, "written_memory"),
    (CallsClosureAgain, "closure"),
    (StepsWithTheLastRate, "scheduled_lr"),
)
"""Each mistake, and a contract that must reject it."""
