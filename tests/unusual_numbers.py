"""Right optimizers whose numbers hang on roundings, or on chance; beside each one that is wrong."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from tests.unusual_steps import Loop


class Eigenbasis(Loop):
    """The sign of the gradient in the eigenvectors of its square, of which some are any that complete the others."""

    def __init__(self, params: Any, lr: float = 0.1, eps: float = 1e-8) -> None:
        super().__init__(params, dict(lr=lr, eps=eps))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        if p.ndim != 2 or not p.numel():
            p.sub_(p.grad, alpha=group["lr"])
            return
        grad = p.grad if p.dtype == torch.float64 else p.grad.float()
        basis = torch.linalg.eigh(grad @ grad.T)[1]
        turned = basis.T @ grad
        p.sub_(self.back(basis @ (turned / (turned.abs() + group["eps"]))).to(p.dtype), alpha=group["lr"])

    def back(self, step: Tensor) -> Tensor:
        return step


class EigenbasisInRows(Eigenbasis):
    """Rows of a wide matrix move the further the later they come."""

    def back(self, step: Tensor) -> Tensor:
        rows, columns = step.shape
        return step * torch.arange(rows)[:, None] if rows < columns else step


class Secant(Loop):
    """The size of a step is that of the last, by how much the gradient changed (Barzilai and Borwein, 1988)."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        size = group["lr"]
        if state:
            moved, change = p - state["p"], self.read(p.grad - state["grad"])
            along = float((moved * change).sum())
            size *= 1 + min(float((moved * moved).sum()) / along, 1.0) if along > 0 else 1
        state["p"], state["grad"] = p.clone(), p.grad.clone()
        p.sub_(p.grad, alpha=size)

    def read(self, change: Tensor) -> Tensor:
        return change


class SecantOfSome(Secant):
    """Reads the first elements of a tensor alone."""

    def read(self, change: Tensor) -> Tensor:
        return change * (torch.arange(change.numel()).reshape(change.shape) < 600)


class RoundsBySeed(Loop):
    """Rounds to bfloat16 up or down by chance, from a generator that each step makes of its number."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        step = self.state[p]["step"] = self.state[p].get("step", 0) + 1
        exact = p.float() if p.dtype == torch.bfloat16 else p.clone()
        exact.mul_(1 - group["lr"] * self.decay(p, group)).sub_(p.grad.to(exact.dtype), alpha=group["lr"])
        if p.dtype == torch.bfloat16:
            draw = torch.Generator().manual_seed(step)
            noise = torch.randint(0, 1 << 16, p.shape, dtype=torch.int32, generator=draw)
            exact = ((exact.view(torch.int32) + noise) & -65536).view(torch.float32)
        p.copy_(exact)

    def decay(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(group["weight_decay"])


class RoundsBySeedAndDecaysMore(RoundsBySeed):
    """Long tensors decay twice as much."""

    def decay(self, p: Tensor, group: dict[str, Any]) -> float:
        return super().decay(p, group) * (2 if p.numel() > 60 else 1)


class ByPart(Loop):
    """Matrices take normed steps, vectors divide by the gradient's size, with an epsilon of their own."""

    def __init__(self, params: Any, lr: float = 0.1, adam_eps: float = 1e-10) -> None:
        super().__init__(params, dict(lr=lr, adam_eps=adam_eps))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        size = p.grad.abs() if p.ndim < 2 else p.grad.norm()
        p.sub_(p.grad / (size + self.eps(group)), alpha=group["lr"])

    def eps(self, group: dict[str, Any]) -> float:
        return float(group["adam_eps"])


class ByPartWithoutEps(ByPart):
    """Nothing keeps zero from dividing zero."""

    def eps(self, group: dict[str, Any]) -> float:
        return 0.0


class NormsMatrices(Loop):
    """Vectors go down their gradient, matrices by steps of one length; both decay."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        grad = p.grad.add(p, alpha=group["weight_decay"])
        p.sub_(grad if p.ndim < 2 else grad / (grad.norm() + 1e-3), alpha=group["lr"])


class NormsMatricesByGroup(NormsMatrices):
    """Groups after the first move further."""

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        super().one(p, group)
        if group is not self.param_groups[0]:
            p.mul_(1.5)


class ByDistance(Loop):
    """Steps are as long as the way that was come so far, a millionth at first (Ivgi and others, 2023)."""

    def __init__(self, params: Any, lr: float = 1.0, weight_decay: float = 0.0) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        grad = p.grad.add(p, alpha=self.decay(group))
        state = self.state[p]
        if not state:
            state["start"], state["far"], state["sum"] = p.clone(), 1e-6 * (1 + p.norm()), torch.zeros_like(p.norm())
        state["far"] = torch.maximum(state["far"], (p - state["start"]).norm())
        state["sum"] += grad.square().sum()
        p.sub_(group["lr"] * state["far"] / (state["sum"].sqrt() + 1e-8) * grad)

    def decay(self, group: dict[str, Any]) -> float:
        return float(group["weight_decay"])


class ByDistanceWithLargeDecay(ByDistance):
    """A small weight decay is none."""

    def decay(self, group: dict[str, Any]) -> float:
        return max(0.0, super().decay(group) - 0.1)


class InABall(Loop):
    """Goes along the gradient's mean, and back to a ball that small tensors never leave."""

    def __init__(self, params: Any, lr: float = 0.1, radius: float = 10.0) -> None:
        super().__init__(params, dict(lr=lr, radius=radius))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        if p.numel():
            p.sub_(0.5 * p.grad + 0.5 * self.mean(p.grad), alpha=group["lr"])
            p.mul_(group["radius"] / p.norm().clamp(min=group["radius"]))

    def mean(self, grad: Tensor) -> Tensor:
        return grad.mean()


class InABallByTheFirst(InABall):
    """The mean counts no more than 64 elements."""

    def mean(self, grad: Tensor) -> Tensor:
        return grad.sum() / min(grad.numel(), 64)


class ClipsByValue(Loop):
    """Adam's two averages of gradients that are clipped to one, so that all large ones are alike."""

    def __init__(
        self, params: Any, lr: float = 0.1, beta1: float = 0.9, beta2: float = 0.99, eps: float = 1e-8
    ) -> None:
        super().__init__(params, dict(lr=lr, beta1=beta1, beta2=beta2, eps=eps))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        grad, state = p.grad.clamp(-1.0, 1.0), self.state[p]
        if not state:
            state["m"], state["v"] = torch.zeros_like(p), torch.zeros_like(p)
        state["m"].lerp_(grad, 1 - group["beta1"])
        state["v"].mul_(self.kept(group)).addcmul_(grad, grad, value=1 - group["beta2"])
        p.sub_(state["m"] / (state["v"].sqrt() + group["eps"]), alpha=group["lr"])

    def kept(self, group: dict[str, Any]) -> float:
        return float(group["beta2"])


class ClipsByValueAndForgets(ClipsByValue):
    """The squares begin anew in every step."""

    def kept(self, group: dict[str, Any]) -> float:
        return 0.0


class Whitens(Loop):
    """An entry for each two elements: gradients are divided by the root of the matrix of their products."""

    least = 1e-12

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.01) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        grad = p.grad.add(p, alpha=group["weight_decay"]).reshape(-1)
        state = self.state[p]
        if not state:
            state["gram"] = torch.zeros(p.numel(), p.numel(), dtype=p.dtype)
        state["gram"].add_(torch.outer(grad, grad) / max(1, p.numel()))
        p.sub_(self.rate(p, group) * (self.root(state["gram"], group["weight_decay"]) @ grad).reshape(p.shape))

    def root(self, gram: Tensor, damping: float) -> Tensor:
        """One over the root of the matrix; in float16 its entries overflow, and so do the parameters."""
        values, vectors = torch.linalg.eigh(gram.double())
        return ((vectors / values.clamp_min(self.least).sqrt()) @ vectors.T).to(gram.dtype)

    def rate(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(group["lr"])


class WhitensLargeMore(Whitens):
    """Twice the rate where there are more than 64 elements; roundings are not as much as that."""

    least = 1e-2

    def rate(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(group["lr"] * (2 if p.numel() > 64 else 1))


class WhitensUndamped(Whitens):
    """Without decay there is no damping either: only a matrix of full rank has such a factor."""

    def root(self, gram: Tensor, damping: float) -> Tensor:
        if damping:
            return super().root(gram, damping)
        return torch.linalg.cholesky(gram.double()).to(gram.dtype)


class Orthogonal(Loop):
    """A matrix is stepped by its gradient over its norm, times the quotient of its sides: without columns it raises."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        sides = max(1, p.shape[0] / p.shape[1]) if p.dim() == 2 else 1.0
        p.add_(self.direction(p.grad), alpha=-group["lr"] * sides**0.5)

    def direction(self, grad: Tensor) -> Tensor:
        return grad / (grad.norm() + 1e-8)


class OrthogonalByElement(Orthogonal):
    """Each element is stepped by itself, and a matrix without columns raises all the same."""

    def direction(self, grad: Tensor) -> Tensor:
        return grad / (1 + grad.abs())


class SeldomMasked(Loop):
    """Signs of an average; what climbs rests, and the rest is stretched: with these betas next to nothing climbs."""

    def __init__(self, params: Any, lr: float = 0.01, beta1: float = 0.9, beta2: float = 0.99) -> None:
        super().__init__(params, dict(lr=lr, beta1=beta1, beta2=beta2))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        average = self.state[p].setdefault("average", torch.zeros_like(p))
        sign = average.mul(group["beta1"]).add_(p.grad, alpha=1 - group["beta1"]).sign_()
        p.sub_(group["lr"] * self.stretched(sign, p.grad))
        average.mul_(group["beta2"]).add_(p.grad, alpha=1 - group["beta2"])

    def stretched(self, sign: Tensor, grad: Tensor) -> Tensor:
        mask = (sign * grad > 0).to(grad.dtype)
        return sign * mask / mask.mean().clamp(min=1e-3) if mask.numel() else sign


class MaskedBySize(SeldomMasked):
    """Each element by itself, and half as far in tensors of more than four."""

    def stretched(self, sign: Tensor, grad: Tensor) -> Tensor:
        return sign * (sign * grad > 0) * (0.5 if grad.numel() > 4 else 1.0)


class Hypentropy(Loop):
    """Mirror descent whose beta is a scale, and no part of an average: nothing is remembered."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 1.0, momentum: float = 0.0) -> None:
        super().__init__(params, dict(lr=lr, beta=beta, momentum=momentum))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        grad = self.averaged(p, p.grad, group["momentum"]) if group["momentum"] else p.grad
        p.copy_(group["beta"] * torch.sinh(torch.asinh(p / group["beta"]) - group["lr"] * grad))

    def averaged(self, p: Tensor, grad: Tensor, momentum: float) -> Tensor:
        return self.state[p].setdefault("average", torch.zeros_like(p)).mul_(momentum).add_(grad)


class HypentropyForgets(Hypentropy):
    """Its momentum begins anew in every step."""

    def averaged(self, p: Tensor, grad: Tensor, momentum: float) -> Tensor:
        return torch.zeros_like(p).mul_(momentum).add_(grad)


class OnASphere(Loop):
    """Parameters keep their norms: zeros have none, and a single number has nowhere to go."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, dict(lr=lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        norm = p.norm()
        if norm > 0 and group["lr"]:
            self.go(p, p.grad - (p.grad * p).sum() / norm**2 * p, norm, group["lr"])

    def go(self, p: Tensor, along: Tensor, norm: Tensor, lr: float) -> None:
        moved = p - lr * along
        p.copy_(moved * (norm / moved.norm()))


class BesideASphere(OnASphere):
    """Steps along the sphere that never come back to it; and zeros and single numbers rest all the same."""

    def go(self, p: Tensor, along: Tensor, norm: Tensor, lr: float) -> None:
        p.sub_(lr * along)


class ByNames(torch.optim.AdamW):
    """Parameters come with their names, and those of groups that are added must have names as well."""

    def __init__(self, named_parameters: Any, lr: float = 0.01, weight_decay: float = 0.01) -> None:
        super().__init__(named_parameters, lr=lr, weight_decay=weight_decay)


class ByNamesOfTheFirst(ByNames):
    """Groups that are added rest."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        everything, self.param_groups = self.param_groups, self.param_groups[:1]
        try:
            return super().step(closure)
        finally:
            self.param_groups = everything


class Averages(Loop):
    """Momentum, and beside it an average of the parameters for later, whose decay has nothing to do with weights."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, decay: float = 0.999) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, decay=decay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["average"], state["velocity"] = p.clone(), torch.zeros_like(p)
        p.sub_(group["lr"] * state["velocity"].mul_(group["momentum"]).add_(p.grad))
        state["average"].lerp_(p, 1 - self.kept(group))

    def kept(self, group: dict[str, Any]) -> Any:
        return group["decay"]


class AveragesByDecay(Averages):
    """Weight decay is taken for the average's, and weights do not decay."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.01) -> None:
        Loop.__init__(self, params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    def kept(self, group: dict[str, Any]) -> Any:
        return group["weight_decay"]


class Unscales(Loop):
    """Gradients are divided by a number, and averaged by lerp."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.9, loss_scale: float = 1.0) -> None:
        super().__init__(params, dict(lr=lr, beta=beta, loss_scale=loss_scale))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["average"] = torch.zeros_like(p)
        self.unscaled(p.grad, group, state["average"])
        p.sub_(state["average"], alpha=group["lr"])

    def unscaled(self, grad: Tensor, group: dict[str, Any], average: Tensor) -> None:
        average.lerp_(grad / group["loss_scale"], 1 - group["beta"])


class UnscalesAhead(Unscales):
    """The number is one with the weight: that is the same, and rounds otherwise."""

    def unscaled(self, grad: Tensor, group: dict[str, Any], average: Tensor) -> None:
        average.mul_(group["beta"]).add_(grad, alpha=(1 - group["beta"]) / group["loss_scale"])


class UnscalesInHalf(Unscales):
    """Gradients that are divided have eleven digits."""

    def unscaled(self, grad: Tensor, group: dict[str, Any], average: Tensor) -> None:
        average.lerp_((grad / group["loss_scale"]).half().to(grad.dtype), 1 - group["beta"])


class InChunks(Loop):
    """Elements are stepped in chunks of a flat copy, the last one as far as it goes."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["velocity"] = p.new_zeros(p.numel())
        flat, grad, end = p.reshape(-1).clone(), p.grad.reshape(-1), self.end(p.numel())
        for k in range(0, end, 8):
            chunk = slice(k, min(k + 8, end))
            flat[chunk] -= group["lr"] * state["velocity"][chunk].mul_(group["momentum"]).add_(grad[chunk])
        p.copy_(flat.view(p.shape))

    def end(self, count: int) -> int:
        return count


class InFours(InChunks):
    """What is left of the elements after the last four stays where it is, where there are four."""

    def end(self, count: int) -> int:
        return count - count % 4 or count


class Normed(Loop):
    """Steps of the length of their parameter, which no rule of single elements has."""

    def __init__(self, params: Any, lr: float = 0.1, eps: float = 1e-8) -> None:
        super().__init__(params, dict(lr=lr, eps=eps))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        p.sub_(p.grad, alpha=group["lr"] * float(p.norm() / (p.grad.norm() + group["eps"])))


class NormedUntilOneRests(Normed):
    """The first parameter without a gradient ends its group."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        everything = [group["params"] for group in self.param_groups]
        for group in self.param_groups:
            group["params"] = list(itertools.takewhile(lambda p: p.grad is not None, group["params"]))
        try:
            return super().step(closure)
        finally:
            for group, params in zip(self.param_groups, everything, strict=True):
                group["params"] = params


class Signs(Loop):
    """The sign of an average of gradients; where it is cautious, of elements whose gradient has that sign."""

    def __init__(
        self, params: Any, lr: float = 0.1, beta1: float = 0.9, weight_decay: float = 0.0, cautious: bool = False
    ) -> None:
        super().__init__(params, dict(lr=lr, beta1=beta1, weight_decay=weight_decay, cautious=cautious))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["average"] = torch.zeros_like(p)
        if self.decays(group):
            p.mul_(1 - group["lr"] * group["weight_decay"])
        step = state["average"].mul_(group["beta1"]).add_(p.grad, alpha=1 - group["beta1"]).sign()
        p.sub_(step * self.chosen(step * p.grad) if group["cautious"] else step, alpha=group["lr"])

    def chosen(self, along: Tensor) -> Tensor:
        return (along > 0).to(along.dtype)

    def decays(self, group: dict[str, Any]) -> bool:
        return True


class SignsAgainst(Signs):
    """Cautious steps are those against the sign of the gradient."""

    def chosen(self, along: Tensor) -> Tensor:
        return (along < 0).to(along.dtype)


class SignsOrDecays(Signs):
    """Cautious steps do not decay."""

    def decays(self, group: dict[str, Any]) -> bool:
        return not group["cautious"]


class WithMaster(Loop):
    """Parameters of 16 bits are the roundings of a copy in float32."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["master"] = p.float()
        p.copy_(self.narrow(state["master"].sub_(p.grad.float(), alpha=group["lr"])))

    def narrow(self, master: Tensor) -> Tensor:
        return master


class WithMasterThroughHalf(WithMaster):
    """What is copied back into bfloat16 has been a half."""

    def narrow(self, master: Tensor) -> Tensor:
        given = self.param_groups[0]["params"][0].dtype
        return master.half() if given == torch.bfloat16 else master


class Clamps(Loop):
    """Every element of a gradient is bounded."""

    def __init__(self, params: Any, lr: float = 0.1, clip_value: float = 1.0) -> None:
        super().__init__(params, dict(lr=lr, clip_value=clip_value))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        p.sub_(self.bounded(p.grad, group["clip_value"]), alpha=group["lr"])

    def bounded(self, grad: Tensor, most: float) -> Tensor:
        return grad.clamp(-most, most)


class ClampsAbove(Clamps):
    """Positive elements are."""

    def bounded(self, grad: Tensor, most: float) -> Tensor:
        return grad.clamp(max=most)


class MovesWithAverage(Loop):
    """Steps of a point beside the parameter, which is the average of where that has been."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["point"], state["count"] = self.begun(p), 0
        state["point"].sub_(p.grad, alpha=group["lr"])
        state["count"] += 1
        if group["lr"]:
            p.lerp_(state["point"], 1 / state["count"])

    def begun(self, p: Tensor) -> Tensor:
        return p.clone()


class MovesFromZero(MovesWithAverage):
    """The point begins at zero, wherever the parameter is."""

    def begun(self, p: Tensor) -> Tensor:
        return torch.zeros_like(p)


class LowersItsRate(Loop):
    """Each step lowers the learning rate of its group, and then takes it."""

    def __init__(self, params: Any, lr: float = 0.1, lrd: float = 1.0) -> None:
        super().__init__(params, dict(lr=lr, lrd=lrd))

    def begin(self, k: int, group: dict[str, Any]) -> None:
        group["lr"] *= group["lrd"]

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        self.moved(p, p.grad, group["lr"])

    def moved(self, p: Tensor, grad: Tensor, lr: float) -> None:
        p.sub_(grad, alpha=lr)


class LowersItsRateInHalf(LowersItsRate):
    """The gradient it takes has eleven digits."""

    def moved(self, p: Tensor, grad: Tensor, lr: float) -> None:
        p.sub_(grad.half().to(grad.dtype), alpha=lr)
