"""Wrong optimizers that one contract rejects, or few: each mistake shows in one place, where that contract looks."""

from __future__ import annotations

import itertools
import weakref
from typing import Any, ClassVar

import torch
from torch.optim import Optimizer
from torch.utils.weak import WeakTensorKeyDictionary

from tests.broken.optimizers import Right


class VariesAscending(Right):
    """Where it ascends, every run differs from the last: it counts over all optimizers there ever were."""

    count: ClassVar[Any] = itertools.count(1)

    def rate(self, p: Any, group: Any, state: Any) -> float:
        varying = next(self.count) % 3 if group["maximize"] else 0
        return super().rate(p, group, state) * (1 + 2.0**-10 * varying)


class GoesSlowlyInTurns(Right):
    """A step goes half as far where another optimizer of the class has stepped since the last one."""

    last: ClassVar[Any] = None

    def step(self, closure: Any = None) -> Any:
        other = self.last() if self.last is not None else None
        mine, theirs = ({id(p) for g in one.param_groups for p in g["params"]} for one in (self, other or self))
        self.share = 0.5 if self.state and not mine & theirs else 1.0
        type(self).last = weakref.ref(self)
        return super().step(closure)

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) * self.share


class ReadsDecayWhenAdded(Right):
    """The weight decay of a group is the one it had when it was added."""

    def add_param_group(self, param_group: Any) -> None:
        super().add_param_group(param_group)
        self.param_groups[-1]["decay_when_added"] = self.param_groups[-1]["weight_decay"]

    def gradient(self, p: Any, group: Any) -> Any:
        return super().gradient(p, {**group, "weight_decay": group["decay_when_added"]})


class SlowsThirdDimension(Right):
    """Parameters of three dimensions go half as far."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) / (2 if p.dim() == 3 else 1)


class StumblesBehindEmpty(Right):
    """A single number that follows an empty parameter in its group goes half as far."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        before = next((a for a, b in itertools.pairwise(group["params"]) if b is p), None)
        behind = p.dim() == 0 and before is not None and before.numel() == 0
        return super().rate(p, group, state) / (2 if behind else 1)


class NeverRests(Right):
    """The rate is at least a ten-thousandth."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return max(super().rate(p, group, state), 1e-4)


class FallsBackToItsRate(Right):
    """A rate of zero that a schedule writes is none, and the default stands in for it."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, {**group, "lr": group["lr"] or self.defaults["lr"]}, state)


class LeavesZeros(Right):
    """Parameters of several numbers, all of them zero, are left as they are."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) * (1 if p.numel() < 2 or p.any() else 0)


class TurnsTallMatrices(Right):
    """What a tall matrix moves by is turned, and not turned back."""

    def one(self, p: Any, group: Any) -> None:
        before = p.detach().clone()
        super().one(p, group)
        if p.dim() == 2 and p.shape[0] > p.shape[1]:
            p.copy_(before + (p - before).mT.reshape(p.shape))


class SeedsItsSteps(Right):
    """Every step sets the seed of torch's random numbers."""

    def step(self, closure: Any = None) -> Any:
        torch.manual_seed(0)
        return super().step(closure)


class SlowsAfterVectors(Right):
    """A matrix goes half as far where the list begins with a vector."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        slow = p.dim() > 1 and group["params"][0].dim() == 1
        return super().rate(p, group, state) / (2 if slow else 1)


class HoldsFirstRate(Right):
    """A parameter moves at the rate of the first step that it takes, whatever its group says later."""

    def __init__(self, params: Any, lr: float = 0.1, **options: Any) -> None:
        self.first: Any = WeakTensorKeyDictionary()
        super().__init__(params, lr=lr, **options)

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, {**group, "lr": self.first.setdefault(p, group["lr"])}, state)


class StepsAHundred(Right):
    """A group has room for a hundred parameters: those behind it stay where they are."""

    def one(self, p: Any, group: Any) -> None:
        if any(p is other for other in group["params"][:100]):
            super().one(p, group)


REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (VariesAscending, "determinism"),
    (GoesSlowlyInTurns, "neighbours"),
    (ReadsDecayWhenAdded, "options_read"),
    (SlowsThirdDimension, "all_parameters"),
    (StumblesBehindEmpty, "partition"),
    (NeverRests, "resting_rate"),
    (FallsBackToItsRate, "resting_rate"),
    (LeavesZeros, "zero_parameters"),
    (TurnsTallMatrices, "tall_matrices"),
    (SeedsItsSteps, "surroundings"),
    (SlowsAfterVectors, "order"),
    (HoldsFirstRate, "schedule"),
    (StepsAHundred, "many_parameters"),
)
"""Each mistake, and a contract that must reject it."""
