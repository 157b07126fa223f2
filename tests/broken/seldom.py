"""Wrong in what few ask for: ascent that is resumed, a rate in a tensor, master weights, switches, norms of a model."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch.optim import Optimizer
from torch.utils.weak import WeakTensorKeyDictionary

from tests.broken.optimizers import LeaksOption, Right


class DescendsOnceLoaded(Right):
    """A state_dict that is loaded turns maximize off, as its groups are brought up to date."""

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["maximize"] = False


class ReadsTensorRateOnce(Right):
    """The number in an lr that is a tensor (isinstance(lr, torch.Tensor)) is read once, and kept."""

    def __init__(self, params: Any, lr: float | torch.Tensor = 0.1, **options: Any) -> None:
        self.numbers: Any = WeakTensorKeyDictionary()
        super().__init__(params, lr=lr, **options)  # type: ignore[arg-type]

    def rate(self, p: Any, group: Any, state: Any) -> float:
        lr = group["lr"]
        number = self.numbers.setdefault(lr, float(lr)) if isinstance(lr, torch.Tensor) else lr
        return super().rate(p, {**group, "lr": number}, state)


class AscendsByRealParts(Right):
    """Complex gradients, which torch.view_as_real would treat, are conjugated where they are negated to ascend."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return grad.conj() if group["maximize"] and grad.is_complex() else grad


class LagsBehindItsMaster(Right):
    """Parameters of 16 bits have float32 copies that are stepped, and are given what those were before the step."""

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        for k, p in enumerate(p for group in self.param_groups for p in group["params"]):
            self.state[p].update(copy.deepcopy(state_dict["state"].get(k, {})))

    def one(self, p: Any, group: Any) -> None:
        if p.dtype not in (torch.float16, torch.bfloat16):
            super().one(p, group)
            return
        state = self.state[p]
        if not state:
            state["step"] = 0
            state["master"] = p.detach().float()
            state["momentum"] = torch.zeros_like(state["master"])
        state["step"] += 1
        p.copy_(state["master"])
        grad = -p.grad.float() if group["maximize"] else p.grad.float()
        grad = grad.add(state["master"], alpha=group["weight_decay"])
        state["momentum"].mul_(group["momentum"]).add_(grad)
        update = grad.add(state["momentum"], alpha=group["momentum"]) if group["nesterov"] else state["momentum"]
        state["master"].add_(update, alpha=-self.rate(p, group, state))


class WithDecoupled(Right):
    """Weight decay may be decoupled: right."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, momentum, weight_decay)
        self.defaults["decoupled_weight_decay"] = decoupled_weight_decay
        for group in self.param_groups:
            group.setdefault("decoupled_weight_decay", decoupled_weight_decay)

    def one(self, p: Any, group: Any) -> None:
        if group["decoupled_weight_decay"]:
            p.mul_(1 - group["lr"] * group["weight_decay"])
            group = {**group, "weight_decay": 0.0}
        super().one(p, group)


class HasNoMomentumDecoupled(WithDecoupled):
    """Where the decay is decoupled, the momentum is that of an option which there is not."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, {**group, "momentum": 0.5} if group["decoupled_weight_decay"] else group)


class KeepsMaximum(Right):
    """amsgrad divides by the largest running average so far: right."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, amsgrad: bool = False) -> None:
        super().__init__(params, lr, momentum)
        self.defaults["amsgrad"] = amsgrad
        for group in self.param_groups:
            group.setdefault("amsgrad", amsgrad)

    def one(self, p: Any, group: Any) -> None:
        grad = -p.grad if group["maximize"] else p.grad
        state = self.state[p]
        if "square" not in state:
            state["square"], state["largest"] = torch.zeros_like(p), torch.zeros_like(p)
        state["square"].mul_(group["momentum"]).addcmul_(grad, grad)
        state["largest"] = self.larger(state)
        square = state["largest"] if group["amsgrad"] else state["square"]
        p.addcdiv_(grad, square.sqrt().add_(1e-8), value=-group["lr"])

    def larger(self, state: Any) -> Any:
        return torch.maximum(state["largest"], state["square"])


class KeepsNoMaximum(KeepsMaximum):
    """amsgrad keeps the larger of the running average and itself."""

    def larger(self, state: Any) -> Any:
        return torch.maximum(state["square"], state["square"])


class KeepsBound(KeepsMaximum):
    """ams_bound divides by the largest running average so far: right."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, ams_bound: bool = False) -> None:
        Right.__init__(self, params, lr, momentum)
        self.defaults["ams_bound"] = ams_bound
        for group in self.param_groups:
            group.setdefault("ams_bound", ams_bound)

    def one(self, p: Any, group: Any) -> None:
        super().one(p, {**group, "amsgrad": group["ams_bound"]})


class ForgetsItsBound(KeepsBound):
    """ams_bound keeps the largest running average, and divides by the last one."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, {**group, "ams_bound": False})


class ClipsByAll(Right):
    """Gradients are divided by the norm of them all: right."""

    def step(self, closure: Any = None) -> Any:
        loss = self.evaluated(closure)
        grads = [p.grad for group in self.measured() for p in group["params"] if p.grad is not None]
        self.norm: Any = 1 + torch.stack([grad.double().norm() for grad in grads]).norm().item() if grads else 1.0
        super().step()
        return loss

    def measured(self) -> Any:
        return self.param_groups

    def gradient(self, p: Any, group: Any) -> Any:
        return super().gradient(p, group) / self.norm


class ClipsByTheFirstGroup(ClipsByAll):
    """Gradients are divided by the norm of those of the first group, whatever group they are of."""

    def measured(self) -> Any:
        return self.param_groups[:1]


class HalvesNumbersOfNoDimension(Right):
    """A step is divided by the root of the mean square of its tensor's gradients; by twice that, without dimension."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        size = grad.square().mean().sqrt() if grad.numel() else 1.0
        return grad / (1 + (size if p.dim() else 2 * size))


class SlowsLargeOnesWithoutDecay(Right):
    """Where nothing decays, tensors of more than 4096 elements move half as far."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        halved = p.numel() > 4096 and group["weight_decay"] == 0
        return super().rate(p, group, state) / (2 if halved else 1)


class DecaysWhereTheConstructorDoes(Right):
    """Nothing decays, whatever groups say, where the constructor was told of no decay."""

    def gradient(self, p: Any, group: Any) -> Any:
        return super().gradient(p, group if self.defaults["weight_decay"] else {**group, "weight_decay": 0.0})


class TakesTwinsForOne(Right):
    """With foreach, a tensor moves by the momentum of the first one of its shape."""

    def one(self, p: Any, group: Any) -> None:
        before = p.detach().clone()
        super().one(p, group)
        first = next(q for q in group["params"] if q.grad is not None and q.shape == p.shape)
        if group["foreach"] and first is not p:
            p.copy_(before).add_(self.state[first]["momentum"], alpha=-self.rate(p, group, self.state[p]))


class LeaksTwoOptions(LeaksOption):
    """Every group has the decay and the momentum of the first."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, {**group, "momentum": self.param_groups[0]["momentum"]})


class SwapsInItsConstructor(Right):
    """The constructor takes momentum for weight_decay and weight_decay for momentum; groups may say what they mean."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.5, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr=lr, momentum=weight_decay, weight_decay=momentum)


class Slows(Right):
    """Every step writes a smaller rate into its groups."""

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            group["lr"] *= 0.875
        return loss


class SlowsWithEveryParameter(Right):
    """Every step writes a smaller rate into its groups, once for each parameter."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        group["lr"] *= 0.875


REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (DescendsOnceLoaded, "resume"),
    (ReadsTensorRateOnce, "tensor_lr"),
    (AscendsByRealParts, "complex_numbers"),
    (LagsBehindItsMaster, "master_weights"),
    (HasNoMomentumDecoupled, "decay_switches"),
    (KeepsNoMaximum, "acting_switches"),
    (ForgetsItsBound, "acting_switches"),
    (ClipsByTheFirstGroup, "whole_models"),
    (HalvesNumbersOfNoDimension, "single_numbers"),
    (SlowsLargeOnesWithoutDecay, "large_sizes"),
    (DecaysWhereTheConstructorDoes, "groups"),
    (TakesTwinsForOne, "implementations"),
    (LeaksTwoOptions, "groups"),
    (SwapsInItsConstructor, "groups"),
    (SlowsWithEveryParameter, "empty_parameters"),
)
"""Each mistake, and a contract that must reject it."""
