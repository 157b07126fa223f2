"""Wrong in which rate acts on what, and in whom a group without gradients stops."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer

from tests.broken.optimizers import Right
from tests.broken.seldom import ClipsByAll


class HasARateForVectors(Right):
    """Vectors decay and step by a rate of their own: right."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0, vector_lr: float = 0.05
    ) -> None:
        super().__init__(params, lr, momentum, weight_decay)
        self.defaults["vector_lr"] = vector_lr
        for group in self.param_groups:
            group.setdefault("vector_lr", vector_lr)

    def one(self, p: Any, group: Any) -> None:
        own = group["vector_lr"] if p.dim() < 2 else group["lr"]
        p.mul_(1 - own * group["weight_decay"])
        super().one(p, {**group, "lr": self.stepping(own, group), "weight_decay": 0.0})

    def stepping(self, own: float, group: Any) -> float:
        return own


class StepsVectorsAsMatrices(HasARateForVectors):
    """The rate of vectors decays them, and they step by that of matrices."""

    def stepping(self, own: float, group: Any) -> float:
        return float(group["lr"])


class DecaysDecoupled(Right):
    """Weight decay is a factor, of the rate too: right."""

    def one(self, p: Any, group: Any) -> None:
        p.mul_(1 - group["lr"] * group["weight_decay"])
        super().one(p, {**group, "weight_decay": 0.0})


class AddsEpsToItsRate(Right):
    """A small number is added to a rate that is not zero: right, as MADGRAD does."""

    def __init__(self, params: Any, lr: float = 0.1, eps: float = 1e-6) -> None:
        super().__init__(params, lr)
        self.defaults["eps"] = eps
        for group in self.param_groups:
            group.setdefault("eps", eps)

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return float(group["lr"] + group["eps"] if group["lr"] else 0.0)


class StepsWithoutItsRate(DecaysDecoupled):
    """The rate decays parameters, which step by a number of nobody's."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return 0.1


class EndsAtFrozenGroup(ClipsByAll):
    """A group without gradients ends the step of those behind it; gradients are divided by the norm of them all."""

    def step(self, closure: Any = None) -> Any:
        groups = self.param_groups
        idle = [all(p.grad is None for p in group["params"]) for group in groups]
        self.param_groups = groups[: idle.index(True)] if True in idle and closure is None else groups
        try:
            return super().step(closure)
        finally:
            self.param_groups = groups


HELD: tuple[tuple[type[Optimizer], str], ...] = (
    (HasARateForVectors, "acting_rates"),
    (DecaysDecoupled, "acting_rates"),
    (DecaysDecoupled, "resting_rate"),
    (AddsEpsToItsRate, "resting_rate"),
    (ClipsByAll, "empty_parameters"),
)
"""Right optimizers, and contracts that look as if they were not."""

REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (StepsVectorsAsMatrices, "acting_rates"),
    (StepsWithoutItsRate, "acting_rates"),
    (StepsWithoutItsRate, "resting_rate"),
    (EndsAtFrozenGroup, "empty_parameters"),
)
"""Each mistake, and a contract that must reject it."""
