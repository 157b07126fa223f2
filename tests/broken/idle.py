"""Wrong in options that do little or nothing, in counts that end, and in what is left of tensors behind blocks."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.optimizers import Right
from tests.broken.seldom import LagsBehindItsMaster, WithDecoupled
from tests.broken.vanishing import BoundsAllTogether


class TakesLittleMomentumForNone(Right):
    """A momentum below a tenth is none."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, {**group, "momentum": group["momentum"] if group["momentum"] >= 0.1 else 0.0})


class NeverDecouples(WithDecoupled):
    """Whether weight decay is decoupled is taken, and not asked."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, {**group, "decoupled_weight_decay": False})


class DecaysDecoupledAlone(WithDecoupled):
    """What should be added to the gradient where the decay is coupled is added to nothing."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group if group["decoupled_weight_decay"] else {**group, "weight_decay": 0.0})


class CountsToThree(Right):
    """Steps are counted up to three."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        self.state[p]["step"] = min(self.state[p]["step"], 3)


class NeverReadsPower(Right):
    """The constructor takes an exponent, and no step reads it."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0, sharpness: float = 0.75
    ) -> None:
        super().__init__(params, lr, momentum, weight_decay)
        self.defaults["sharpness"] = sharpness
        for group in self.param_groups:
            group.setdefault("sharpness", sharpness)


class Dampens(Right):
    """Gradients are dampened before they are added to the momentum: right."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0, dampening: float = 0.0
    ) -> None:
        super().__init__(params, lr, momentum, weight_decay)
        self.defaults["dampening"] = dampening
        for group in self.param_groups:
            group.setdefault("dampening", dampening)

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return grad * (1 - group["dampening"]) if self.dampened(group) else grad

    def dampened(self, group: Any) -> bool:
        return bool(group["momentum"])


class DampensWithoutMomentum(Dampens):
    """Gradients are dampened where there is no momentum, and not where there is."""

    def dampened(self, group: Any) -> bool:
        return not group["momentum"]


class KeepsWhatItShouldDampen(Dampens):
    """Of a gradient that is dampened, the share is kept that should be left out."""

    def gradient(self, p: Any, group: Any) -> Any:
        return Right.gradient(self, p, group) * (group["dampening"] or 1.0)


class DampensAlways(Dampens):
    """Gradients are dampened whatever the momentum is: right."""

    def dampened(self, group: Any) -> bool:
        return True


class WithBetas(Right):
    """Takes the decay rates of two averages."""

    def __init__(self, params: Any, lr: float = 0.1, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        super().__init__(params, lr)
        self.defaults["betas"] = betas
        for group in self.param_groups:
            group.setdefault("betas", betas)


class RemembersSquares(WithBetas):
    """Adam's step without corrections: right."""

    def one(self, p: Any, group: Any) -> None:
        beta1, beta2 = group["betas"]
        state = self.state[p]
        if not state:
            state["average"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
        grad = self.bounded(-p.grad if group["maximize"] else p.grad, state["square"])
        state["average"].mul_(beta1).add_(grad, alpha=1 - beta1)
        state["square"] = self.kept(state["square"], beta2) + (1 - beta2) * grad * grad
        p.addcdiv_(state["average"], state["square"].sqrt().add_(1e-8), value=-group["lr"])

    def bounded(self, grad: Any, square: Any) -> Any:
        return grad

    def kept(self, square: Any, beta2: float) -> Any:
        return beta2 * square


class ForgetsSquares(RemembersSquares):
    """The average of squares by which gradients are divided begins anew in every step."""

    def kept(self, square: Any, beta2: float) -> Any:
        return 0.0


class DividesByTheMean(Right):
    """Gradients are divided by the mean of their sizes, and one: right."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return grad / (1 + grad.abs().mean()) if grad.numel() else grad


class LeavesTailsOfBlocks(DividesByTheMean):
    """Of tensors of more than 256 elements, those behind the last whole block of 256 are not moved."""

    def one(self, p: Any, group: Any) -> None:
        before = p.detach().clone()
        super().one(p, group)
        tail = p.numel() % 256 if p.numel() > 256 else 0
        if tail:
            p.copy_(torch.cat([p.flatten()[:-tail], before.flatten()[-tail:]]).reshape(p.shape))


class LeavesItsMaster(LagsBehindItsMaster):
    """Parameters of 16 bits have float32 copies, and are stepped themselves."""

    def one(self, p: Any, group: Any) -> None:
        Right.one(self, p, group)
        if p.dtype in (torch.float16, torch.bfloat16):
            self.state[p].setdefault("master", p.detach().float())


class KeepsItsMaster(LagsBehindItsMaster):
    """Parameters of 16 bits are float32 copies, rounded: right."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        if "master" in self.state[p]:
            p.copy_(self.state[p]["master"])


class RoundsItsMaster(Right):
    """Parameters of 16 bits have copies in float32, which are rounded to 16 bits after every step."""

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            if "master" in state:
                state["master"] = state["master"].float()

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        if p.dtype in (torch.float16, torch.bfloat16):
            self.state[p]["master"] = p.detach().float()


class KeepsByAnotherName(Right):
    """An exponent that acts on large gradients alone is kept by another name: right."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0, exponent: float = 0.75
    ) -> None:
        super().__init__(params, lr, momentum, weight_decay)
        for group in self.param_groups:
            group["exponent"], group["power"] = exponent, exponent

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return torch.where(grad.abs() > 1e6, grad.sign() * grad.abs() ** group["power"], grad)


class CorrectsDecay(WithDecoupled):
    """Decoupled weight decay may go by the square of a rate that has changed: right."""

    def one(self, p: Any, group: Any) -> None:
        first = self.state[p].get("first", group["lr"])
        share = group["lr"] / first if group["decoupled_weight_decay"] else 1.0
        super().one(p, {**group, "decoupled_weight_decay": True, "weight_decay": group["weight_decay"] * share})
        self.state[p]["first"] = first


class WeighsByRate(WithBetas):
    """Signs are taken of an average of gradients, each weighed by the rate it came with: right."""

    def one(self, p: Any, group: Any) -> None:
        beta1, beta2 = group["betas"]
        grad = -p.grad if group["maximize"] else p.grad
        average = self.state[p].setdefault("average", torch.zeros_like(p))
        p.add_(torch.sign(beta1 * average + (1 - beta1) * group["lr"] * grad), alpha=-group["lr"])
        average.mul_(beta2).add_(grad, alpha=(1 - beta2) * group["lr"])


class ClipsByItsSquares(RemembersSquares):
    """Gradients are at most three times the average so far, which begins next to nothing: right, as AdamWClip is."""

    def bounded(self, grad: Any, square: Any) -> Any:
        most = square.sqrt().mul(3.0).clamp(min=1e-10)
        return grad.clamp(-most, most)


class MovesLargeMatricesByMomentum(Right):
    """Momentum is for matrices of 16 rows and columns and more: right."""

    def one(self, p: Any, group: Any) -> None:
        large = p.dim() == 2 and min(p.shape) >= 16
        super().one(p, group if large else {**group, "momentum": 0.0})


class LoadsCountsAsTensors(Right):
    """Steps are counted in an int, of which loading makes a float32 tensor, as torch's `Adam.__setstate__` does."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, {"step": int(state["step"])})

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["step"] = torch.tensor(float(state["step"]))


HELD: tuple[tuple[type[Optimizer], str], ...] = (
    (KeepsByAnotherName, "read_options"),
    (CorrectsDecay, "decay_switches"),
    (WeighsByRate, "memory_of_steps"),
    (ClipsByItsSquares, "memory_of_steps"),
    (MovesLargeMatricesByMomentum, "acting_rates"),
    (DampensAlways, "vanishing_momentum"),
    (BoundsAllTogether, "bounds"),
)
"""Right optimizers, and contracts that look as if they were not."""

REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (TakesLittleMomentumForNone, "acting_rates"),
    (NeverDecouples, "decay_switches"),
    (DecaysDecoupledAlone, "decay_switches"),
    (CountsToThree, "counted_steps"),
    (NeverReadsPower, "read_options"),
    (DampensWithoutMomentum, "vanishing_momentum"),
    (KeepsWhatItShouldDampen, "vanishing_momentum"),
    (ForgetsSquares, "memory_of_steps"),
    (LeavesTailsOfBlocks, "uniform_tensors"),
    (LeavesItsMaster, "master_weights"),
    (RoundsItsMaster, "master_weights"),
    (LoadsCountsAsTensors, "state_dtypes"),
)
"""Each mistake, and a contract that must reject it."""
