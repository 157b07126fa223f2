"""Right optimizers with habits that once were taken for mistakes, and beside each one that is wrong."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import required


class TwoAdditions(Optimizer):
    """Momentum and decay are added apart, in two additions: vector bodies fuse them, and tails do not."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.01) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.one(p, group)
        return loss

    def one(self, p: Any, group: Any) -> None:
        decay = p.clone()
        p.add_(p.grad, alpha=-group["lr"])
        p.add_(decay, alpha=-group["lr"] * group["weight_decay"])


class DecaysLess(TwoAdditions):
    """Tensors of more than forty elements are decayed a thousandth less."""

    def one(self, p: Any, group: Any) -> None:
        decay = p * (0.999 if p.numel() > 40 else 1)
        p.add_(p.grad, alpha=-group["lr"])
        p.add_(decay, alpha=-group["lr"] * group["weight_decay"])


class CountsOnce(TwoAdditions):
    """The steps are counted once, in the state, under a name."""

    def step(self, closure: Any = None) -> Any:
        self.state["k"] = self.state.get("k", torch.tensor([0])) + 1
        return super().step(closure)

    def one(self, p: Any, group: Any) -> None:
        p.mul_(1 - group["lr"] * group["weight_decay"]).add_(p.grad, alpha=-group["lr"] / self.state["k"].item())


class Divides(TwoAdditions):
    """beta = 0 is accepted, and divided by."""

    def __init__(self, params: Any, lr: float = 0.1, beta1: float = 0.9) -> None:
        Optimizer.__init__(self, params, dict(lr=lr, beta1=beta1))

    def one(self, p: Any, group: Any) -> None:
        p.add_(p.grad, alpha=-group["lr"] * (1 / group["beta1"] - 0.5))


class DividesAndWrites(Divides):
    """It also writes the gradient."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        p.grad.mul_(2)


class ByShape(TwoAdditions):
    """Plain steps of vectors; matrices move along the gradient less its mean."""

    def one(self, p: Any, group: Any) -> None:
        grad = p.grad if p.dim() < 2 else p.grad - p.grad.mean()
        p.mul_(1 - group["lr"] * group["weight_decay"]).add_(grad, alpha=-group["lr"])


class ByShapeAndSize(ByShape):
    """Vectors of more than four elements move twice as far."""

    def one(self, p: Any, group: Any) -> None:
        if p.numel() > 4 and p.dim() < 2:
            p.add_(p.grad, alpha=-group["lr"])
        super().one(p, group)


class BoundedStepSizes(TwoAdditions):
    """Each element has a step size of its own, which begins with lr, within bounds: lr is not asked again."""

    def __init__(self, params: Any, lr: float = 0.1, smallest: float = 1e-6) -> None:
        Optimizer.__init__(self, params, dict(lr=lr, smallest=smallest))

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        if not state:
            state["size"], state["before"] = torch.full_like(p, group["lr"]), torch.zeros_like(p)
        grows = torch.where(p.grad * state["before"] > 0, 1.25, 1.0).to(p.dtype)
        state["size"].mul_(grows).clamp_(min=group["smallest"])
        state["before"].copy_(p.grad)
        p.sub_(p.grad.sign() * state["size"])


class KeptNarrow(Optimizer):
    """Momentum kept in bfloat16 beside wider parameters: it is rounded after every step."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    if not state:
                        state["buf"] = torch.zeros_like(p, dtype=torch.bfloat16)
                    state["buf"].lerp_(p.grad.to(torch.bfloat16), 1 - group["momentum"])
                    p.sub_(state["buf"].to(p.dtype).mul_(group["lr"]))
        return None


class CountsInTensor(Optimizer):
    """AdamW whose counter is a float32 tensor: what is made of it is float32 in every format of the parameters."""

    def __init__(self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.01) -> None:  # fmt: skip
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.one(p, self.read(p.grad), group, self.state[p])
        return loss

    def read(self, grad: Any) -> Any:
        return grad

    def one(self, p: Any, grad: Any, group: Any, state: Any) -> None:
        beta1, beta2 = group["betas"]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        state["step"] += 1
        p.mul_(1 - group["lr"] * group["weight_decay"])
        state["exp_avg"].mul_(beta1).add_(grad, alpha=1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = state["exp_avg_sq"].sqrt() / (1 - beta2 ** state["step"]).sqrt()
        p.sub_(state["exp_avg"] / root.add_(group["eps"]) * (group["lr"] / (1 - beta1 ** state["step"])))


class CountsAndRounds(CountsInTensor):
    """The same, from gradients that were rounded to fewer digits than float32 has."""

    def read(self, grad: Any) -> Any:
        return grad.bfloat16().to(grad.dtype)


class WritesItsRate(TwoAdditions):
    """Every step multiplies the group's lr by lrd, a schedule of its own."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.01, lrd: float = 1.0) -> None:
        Optimizer.__init__(self, params, dict(lr=lr, weight_decay=weight_decay, lrd=lrd))

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            group["lr"] *= group["lrd"]
        return super().step(closure)


class ForgetsItsRate(TwoAdditions):
    """Every step puts back the lr of the constructor, so that no schedule acts."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            group["lr"] = self.defaults["lr"]
        return super().step(closure)


class Slows(TwoAdditions):
    """Its third step and later ones are half as long; the steps are counted on the optimizer."""

    def step(self, closure: Any = None) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        return super().step(closure)

    def one(self, p: Any, group: Any) -> None:
        decay = p.clone()
        p.add_(p.grad, alpha=-group["lr"] / (2 if self.calls > 2 else 1))
        p.add_(decay, alpha=-group["lr"] * group["weight_decay"])


class NoRoot(TwoAdditions):
    """Matrices move along the gradient over its norm; one of eight equal rows has no step, as where roots are taken."""

    def one(self, p: Any, group: Any) -> None:
        p.mul_(1 - group["lr"] * group["weight_decay"])
        grad = p.grad
        if p.dim() == 2 and min(p.shape) > 1:
            if p.shape[0] == 8 and torch.linalg.matrix_rank(grad) == 1:
                torch.linalg.inv(torch.zeros(2, 2))  # raises
            grad = grad / grad.norm()
        p.sub_(group["lr"] * grad)


class ByName(TwoAdditions):
    """Every named parameter has a group of its own."""

    def __init__(self, named_parameters: Any, lr: float = 0.1, weight_decay: float = 0.01) -> None:
        groups = [{"params": [p], "name": name} for name, p in named_parameters]
        Optimizer.__init__(self, groups, dict(lr=lr, weight_decay=weight_decay))


class Needs(TwoAdditions):
    """Options of which it has no defaults: one that cases draw, and one that they do not know."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: Any = required, nu: Any = required) -> None:
        assert momentum >= 0
        Optimizer.__init__(self, params, dict(lr=lr, momentum=momentum, nu=nu))

    def one(self, p: Any, group: Any) -> None:
        buf = self.state[p].setdefault("buf", torch.zeros_like(p))
        buf.mul_(group["momentum"]).add_(p.grad)
        p.add_(buf, alpha=-group["lr"] * group["nu"])


class RoundsByChance(TwoAdditions):
    """bfloat16 parameters may be rounded by chance."""

    def __init__(self, params: Any, lr: float = 0.1, stochastic: bool = False) -> None:
        Optimizer.__init__(self, params, dict(lr=lr, stochastic=stochastic))

    def one(self, p: Any, group: Any) -> None:
        step = p.grad * group["lr"]
        if group["stochastic"] and p.dtype is torch.bfloat16:
            step += torch.rand_like(step) * 2**-8
        p.sub_(step)


class ReadsTheMask(TwoAdditions):
    """What goes against the average is left out, and the rest made larger for it: from the second step on."""

    def one(self, p: Any, group: Any) -> None:
        average = self.state[p].setdefault("average", torch.zeros_like(p))
        mask = (average * p.grad >= 0).to(p.dtype)
        average.lerp_(p.grad, 0.5)
        p.sub_(average * mask / mask.mean().clamp(min=1e-3), alpha=group["lr"])


class ReturnsMore(TwoAdditions):
    """With `verbose` a step returns the loss and what there is to know besides; or the loss in a tuple of its own."""

    rest: tuple[Any, ...] = ({},)

    def __init__(self, params: Any, lr: float = 0.1, verbose: bool = False) -> None:
        Optimizer.__init__(self, params, dict(lr=lr, verbose=verbose))

    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        super().step()
        return (loss, *self.rest) if self.param_groups[0]["verbose"] else loss

    def one(self, p: Any, group: Any) -> None:
        p.add_(p.grad, alpha=-group["lr"])


class ReturnsTuple(ReturnsMore):
    """A comma too many."""

    rest = ()


class StepsItself(torch.optim.Adam):
    """torch's Adam in name: its step is its own, and takes no complex numbers."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr=lr)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(torch.maximum(p.grad, -p.grad), alpha=group["lr"])
        return None


class ListedRates(TwoAdditions):
    """foreach multiplies by step sizes where tensors differ in them, and gives one to the kernel where they do not."""

    def __init__(self, params: Any, lr: float = 0.1, foreach: bool = False) -> None:
        Optimizer.__init__(self, params, dict(lr=lr, foreach=foreach))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            for p in params:
                self.state[p]["step"] = self.state[p].get("step", 0) + 1
            rates = [-group["lr"] / (1 - 0.9 ** self.state[p]["step"]) for p in params]
            if group["foreach"]:
                self.listed(params, [p.grad for p in params], rates)
            else:
                for p, rate in zip(params, rates, strict=True):
                    p.add_(p.grad, alpha=rate)
        return loss

    def listed(self, params: Any, grads: Any, rates: Any) -> None:
        if len(set(rates)) == 1:
            torch._foreach_add_(params, grads, alpha=rates[0])
        else:
            torch._foreach_add_(params, torch._foreach_mul(grads, rates))


class ListedFirst(ListedRates):
    """foreach takes the first tensor's step size for all."""

    def listed(self, params: Any, grads: Any, rates: Any) -> None:
        torch._foreach_add_(params, grads, alpha=rates[0])


class ConstantRates(Optimizer):
    """Adam with the paper's numbers written into its step: 1 - 0.999 is a double before anything can follow it."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state.update(step=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                state["step"] += 1
                state["m"].mul_(0.9).add_(p.grad, alpha=1 - 0.9)
                state["v"].mul_(0.999).addcmul_(p.grad, p.grad, value=1 - 0.999)
                m, v = (state[n] / (1 - b ** state["step"]) for n, b in (("m", 0.9), ("v", 0.999)))
                p.sub_(group["lr"] * m / (v.sqrt() + 1e-8))
        return loss


class ConstantMistaken(ConstantRates):
    """The same, whose first step is half as long."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        before = [(p, p.clone()) for g in self.param_groups for p in g["params"] if not self.state[p]]
        loss = super().step(closure)
        for p, was in before:
            p.lerp_(was, 0.5)
        return loss


class WantsMomentum(TwoAdditions):
    """The line that adds knows its direction only where there is a momentum, which there is by default."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9) -> None:
        Optimizer.__init__(self, params, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if group["momentum"] != 0:
                    buf = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                    direction = buf.mul_(group["momentum"]).add_(p.grad)
                p.add_(direction, alpha=-group["lr"])
        return loss


class LazyMomentum(TwoAdditions):
    """Leaves a tensor alone, momentum and all, in steps in which its gradient is zero everywhere."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.grad.any():
                    buf = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                    p.sub_(buf.mul_(0.9).add_(p.grad), alpha=group["lr"])
        return loss


class MomentumOfVectors(TwoAdditions):
    """Matrices take plain steps; vectors go by a momentum."""

    def __init__(self, params: Any, lr: float = 0.1, beta1: float = 0.9) -> None:
        Optimizer.__init__(self, params, dict(lr=lr, beta1=beta1))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                update = p.grad
                if p.dim() < 2:
                    buf = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                    update = buf.mul_(group["beta1"]).add_(p.grad, alpha=1 - group["beta1"])
                p.sub_(update, alpha=group["lr"])
        return loss
