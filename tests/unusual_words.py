"""Right optimizers with options that act under a word, or not at all under None; beside each one that is wrong."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.unusual_steps import Loop


class ClipsByWord(Loop):
    """Nothing is clipped unless a word says how; the words are those of the class."""

    CLIPS = (None, "value", "norm")

    def __init__(self, params: Any, lr: float = 0.1, clip: str | None = None, clip_value: float = 1.0) -> None:
        if clip not in self.CLIPS:
            raise ValueError(clip)
        super().__init__(params, dict(lr=lr, clip=clip, clip_value=clip_value))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        grad, bound = p.grad, self.bound(group)
        if group["clip"] == "value":
            grad = grad.clamp(-bound, bound)
        elif group["clip"] == "norm":
            norm = grad.norm()
            grad = torch.where(norm > bound, grad * (bound / norm), grad)
        p.add_(grad, alpha=-group["lr"])

    def bound(self, group: dict[str, Any]) -> float:
        return float(group["clip_value"])


class ClipsNothing(ClipsByWord):
    """No bound is low enough."""

    def bound(self, group: dict[str, Any]) -> float:
        return max(2.0**20, float(group["clip_value"]))


class ClipsByCall(ClipsByWord):
    """How it is clipped is a function, of which nothing can be guessed."""

    def __init__(self, params: Any, lr: float = 0.1, clip: Any = None, clip_value: float = 1.0) -> None:
        Loop.__init__(self, params, dict(lr=lr, clip=clip, clip_value=clip_value))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        grad = p.grad
        if group["clip"] is not None:
            grad = group["clip"](grad, group["clip_value"])
        p.add_(grad, alpha=-group["lr"])


class SignOfCentred(Loop):
    """Signs of what is left of gradients without the means of rows: small momenta change their state, and no sign."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, sign: bool = False, centralize: bool = False
    ) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, sign=sign, centralize=centralize))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        grad = p.grad
        if group["centralize"] and grad.ndim > 1 and grad.numel():
            grad = grad - grad.mean(dim=1, keepdim=True)
        momentum = self.momentum(group)
        if group["momentum"]:
            state = self.state[p]
            if not state:
                state["buf"] = torch.zeros_like(p)
            grad = state["buf"].mul_(momentum).add_(grad)
        p.add_(grad.sign() if group["sign"] else grad, alpha=-group["lr"])

    def momentum(self, group: dict[str, Any]) -> float:
        return float(group["momentum"])


class SignOfCentredAtLeast(SignOfCentred):
    """A small momentum is none."""

    def momentum(self, group: dict[str, Any]) -> float:
        return float(group["momentum"]) if group["momentum"] > 0.1 else 0.0


class Sorts(Loop):
    """Takes a model, whose matrices decay and whose vectors do not: groups are made of it."""

    def __init__(self, model: torch.nn.Module, lr: float = 0.1, weight_decay: float = 0.1) -> None:
        self.first = lr
        parted = [[p for p in model.parameters() if (p.ndim < 2) is flat] for flat in (False, True)]
        groups = [{"params": ps, "weight_decay": decay} for ps, decay in zip(parted, (weight_decay, 0.0), strict=True)]
        super().__init__([group for group in groups if group["params"]], dict(lr=lr, weight_decay=weight_decay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        lr = self.rate(group)
        p.mul_(1 - lr * group["weight_decay"]).add_(p.grad, alpha=-lr)

    def rate(self, group: dict[str, Any]) -> float:
        return float(group["lr"])


class SortsOnce(Sorts):
    """The rate is that of the construction."""

    def rate(self, group: dict[str, Any]) -> float:
        return self.first
