"""Wrong in what a switch means, in the rate that parameters decay by, and in the digits that gradients have."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.optimizers import Right
from tests.broken.rated import DecaysDecoupled


class Corrects(Optimizer):
    """An average of gradients is corrected for its beginning at zero, unless that is switched off: right."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.9, correct_bias: bool = True) -> None:
        super().__init__(params, {"lr": lr, "beta": beta, "correct_bias": correct_bias})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                state["step"] = state.get("step", 0) + 1
                p.add_(self.average(state, p, group["beta"]), alpha=-group["lr"] / self.corrected(group, state["step"]))
        return loss

    def average(self, state: Any, p: Any, beta: float) -> Any:
        return state.setdefault("average", torch.zeros_like(p)).lerp_(p.grad, 1 - beta)

    def corrected(self, group: Any, step: int) -> float:
        return float(1 - group["beta"] ** step) if group["correct_bias"] else 1.0


class CorrectsBackwards(Corrects):
    """The average is corrected where that is switched off."""

    def corrected(self, group: Any, step: int) -> float:
        return super().corrected({**group, "correct_bias": not group["correct_bias"]}, step)


class DecaysBiases(Right):
    """A switch says whether vectors decay as matrices do: right."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0, decay_bias: bool = True
    ) -> None:
        super().__init__(params, lr, momentum, weight_decay)
        self.defaults["decay_bias"] = decay_bias
        for group in self.param_groups:
            group.setdefault("decay_bias", decay_bias)

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group if self.decayed(p, group) else {**group, "weight_decay": 0.0})

    def decayed(self, p: Any, group: Any) -> bool:
        return bool(group["decay_bias"] or p.dim() > 1)


class DecaysNoBiases(DecaysBiases):
    """Vectors do not decay whatever the switch says, and with it off nothing does."""

    def decayed(self, p: Any, group: Any) -> bool:
        return bool(group["decay_bias"] and p.dim() > 1)


class RemembersItsRate(DecaysDecoupled):
    """Parameters decay by what lr was when they were seen."""

    def one(self, p: Any, group: Any) -> None:
        p.mul_(1 - group.setdefault("lr_of_decay", group["lr"]) * group["weight_decay"])
        super().one(p, {**group, "weight_decay": 0.0})


class DecaysByItsInitialRate(RemembersItsRate):
    """Parameters decay by the initial lr on purpose, so that no scheduler changes their decay: right."""


class RoundsGradients(Right):
    """Gradients of float32 have the digits of bfloat16."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return grad.bfloat16().float() if grad.dtype == torch.float32 else grad


class KeepsShortMomentum(RoundsGradients):
    """Its momentum has 16 bits on purpose: right."""

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        momentum = state.setdefault("momentum", torch.zeros_like(p, dtype=torch.bfloat16))
        state["step"] = state.get("step", 0) + 1
        momentum.mul_(group["momentum"]).add_(self.gradient(p, group))
        p.add_(momentum, alpha=-self.rate(p, group, state))


class AveragesBackwards(Corrects):
    """Of the average, the rate's share is what is new."""

    def average(self, state: Any, p: Any, beta: float) -> Any:
        return super().average(state, p, 1 - beta)


class TakesInWhatItKeeps(Corrects):
    """What is new enters the average with the weight of what was."""

    def average(self, state: Any, p: Any, beta: float) -> Any:
        return state.setdefault("average", torch.zeros_like(p)).mul_(beta).add_(p.grad, alpha=beta)


class NamesWhatIsNew(Corrects):
    """The rate is that of what is new, as a default of a tenth says: right."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.1) -> None:
        super().__init__(params, lr, beta, correct_bias=False)

    def average(self, state: Any, p: Any, beta: float) -> Any:
        return super().average(state, p, 1 - beta)


class CorrectsLate(Right):
    """The bias is corrected by the number of the step before: the first divides by zero, and then by infinity."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr)

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        squares = state.setdefault("squares", torch.zeros_like(p)).mul_(0.9).addcmul_(p.grad, p.grad, value=0.1)
        state["step"] = state.get("step", 0) + 1
        p.addcdiv_(p.grad, (squares / (1 - 0.9 ** self.counted(state))).sqrt_().add_(1e-8), value=-group["lr"])

    def counted(self, state: Any) -> int:
        return int(state["step"]) - 1


class CorrectsAtOnce(CorrectsLate):
    """The bias is corrected by the number of the step: right."""

    def counted(self, state: Any) -> int:
        return int(state["step"])


HELD: tuple[tuple[type[Optimizer], str], ...] = (
    (Corrects, "acting_switches"),
    (DecaysBiases, "acting_switches"),
    (DecaysByItsInitialRate, "resting_rate"),
    (KeepsShortMomentum, "small_changes"),
    (Corrects, "shares"),
    (NamesWhatIsNew, "shares"),
    (CorrectsAtOnce, "divisors"),
)
"""Right optimizers, and contracts that look as if they were not."""

REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (CorrectsBackwards, "acting_switches"),
    (DecaysNoBiases, "acting_switches"),
    (RemembersItsRate, "resting_rate"),
    (RoundsGradients, "small_changes"),
    (AveragesBackwards, "shares"),
    (TakesInWhatItKeeps, "shares"),
    (CorrectsLate, "divisors"),
)
"""Each mistake, and a contract that must reject it."""
