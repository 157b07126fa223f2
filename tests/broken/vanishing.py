"""Wrong where little is left to act on: without momentum, below a bound, of what decays, in one format, set aside."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.aimless import BeginsAnewEachStep
from tests.broken.optimizers import Right


class StepsHalfwayWithoutMomentum(Right):
    """The path without momentum takes half the learning rate."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) * (1 if group["momentum"] else 0.5)


class Clips(Right):
    """Gradients of a parameter that are longer than a bound are shortened to it: right."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0, max_grad_norm: float = 1.0
    ) -> None:
        super().__init__(params, lr, momentum, weight_decay)
        self.defaults["max_grad_norm"] = max_grad_norm
        for group in self.param_groups:
            group.setdefault("max_grad_norm", max_grad_norm)

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return grad * self.share(group["max_grad_norm"] / (grad.norm() + 1e-6))

    def share(self, ratio: Any) -> Any:
        return ratio.clamp(max=1.0)


class LengthensToItsBound(Clips):
    """Gradients that are shorter than the bound are lengthened to it."""

    def share(self, ratio: Any) -> Any:
        return ratio


class BoundsAllTogether(Clips):
    """Gradients of all parameters are shortened where they are longer than the bound together: right."""

    def step(self, closure: Any = None) -> Any:
        loss = self.evaluated(closure)
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        self.whole: Any = self.together(torch.stack([grad.double().norm() for grad in grads])) if grads else 0.0
        super().step()
        return loss

    def together(self, norms: Any) -> Any:
        return norms.norm()

    def gradient(self, p: Any, group: Any) -> Any:
        grad = p.grad * self.share(group["max_grad_norm"] / (self.whole + 1e-6)).to(p.dtype)
        return (-grad if group["maximize"] else grad).add(p, alpha=group["weight_decay"])


class BoundsTheSumOfLengths(BoundsAllTogether):
    """The lengths of gradients are added, and not their squares."""

    def together(self, norms: Any) -> Any:
        return norms.sum()


class DecaysByGradients(Right):
    """Weight decay adds to the gradient a share of itself, and not of the parameter."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = -p.grad if group["maximize"] else p.grad
        return grad.add(grad, alpha=group["weight_decay"])


class DecaysVectorsAlone(Right):
    """Matrices are left out of weight decay, where biases should be."""

    def gradient(self, p: Any, group: Any) -> Any:
        return super().gradient(p, {**group, "weight_decay": 0.0} if p.dim() > 1 else group)


class HalvesDoubles(Right):
    """Steps in float64 are half as long as in any other format."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) * (0.5 if p.dtype is torch.float64 else 1)


class Evaluates(Right):
    """Models are evaluated a little behind where they are trained: right."""

    back = -0.125

    def eval(self) -> None:
        self.moved(True, 0.125)

    def train(self) -> None:
        self.moved(False, self.back)

    @torch.no_grad()
    def moved(self, aside: bool, share: float) -> None:
        for group in self.param_groups:
            if group.get("aside", False) is not aside:
                group["aside"] = aside
                for p in group["params"]:
                    if self.state[p]:
                        p.add_(self.state[p]["momentum"], alpha=share)


class ComesBackElsewhere(Evaluates):
    """From an evaluation training goes on halfway to where it was."""

    back = -0.0625


REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (BeginsAnewEachStep, "memory_of_steps"),
    (StepsHalfwayWithoutMomentum, "vanishing_momentum"),
    (LengthensToItsBound, "bounds"),
    (BoundsTheSumOfLengths, "bounds"),
    (DecaysByGradients, "decay_of_parameters"),
    (DecaysVectorsAlone, "decay_of_matrices"),
    (HalvesDoubles, "formats"),
    (ComesBackElsewhere, "evaluation"),
)
"""Each mistake, and a contract that must reject it."""
