"""Right optimizers whose steps count, search or take options in unusual ways, and beside each one that is wrong."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class WarmsUp(Optimizer):
    """Momentum corrected by a count of each parameter; a warm-up that is counted in the group."""

    def __init__(self, params: Any, lr: float = 0.1, beta1: float = 0.9, warmup_steps: int = 10) -> None:
        super().__init__(params, dict(lr=lr, beta1=beta1, warmup_steps=warmup_steps))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            group["step"] = group.get("step", 0) + 1
            lr = group["lr"] * min(1.0, group["step"] / group["warmup_steps"])
            for p in group["params"]:
                if p.grad is not None:
                    self.one(p, group, lr)
        return loss

    def one(self, p: Tensor, group: dict[str, Any], lr: float) -> None:
        state = self.state[p]
        if not state:
            state["t"], state["m"] = 0, torch.zeros_like(p)
        state["t"] += 1
        state["m"].lerp_(p.grad, 1 - group["beta1"])
        p.add_(state["m"], alpha=-lr / (1 - group["beta1"] ** self.steps(group, state)))

    def steps(self, group: dict[str, Any], state: dict[str, Any]) -> int:
        """The steps that the momentum is corrected for."""
        return int(state["t"])


class CorrectsByGroup(WarmsUp):
    """Without the warm-up, and the corrections are made of the group's count, beside that of the parameter."""

    def one(self, p: Tensor, group: dict[str, Any], lr: float) -> None:
        super().one(p, group, group["lr"])

    def steps(self, group: dict[str, Any], state: dict[str, Any]) -> int:
        return int(group["step"])


class CountsInTable(Optimizer):
    """The steps of each group are counted in a table of the optimizer's; the first ones are shorter."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.01) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))
        self.counts: dict[int, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "counts": self.counts}

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "counts": dict(self.counts)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "counts"})
        self.counts = dict(state_dict["counts"])

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for k, group in enumerate(self.param_groups):
            self.counts[k] = self.counts.get(k, 0) + 1
            share = min(1.0, self.counts[k] / 4)
            for p in group["params"]:
                if p.grad is not None:
                    p.add_(p.grad.add(p, alpha=self.decay(group)), alpha=-group["lr"] * share)
        return loss

    def decay(self, group: dict[str, Any]) -> float:
        return float(group["weight_decay"])


class KeepsDecay(CountsInTable):
    """The decay is that of the constructor, whatever is written into the group later."""

    def decay(self, group: dict[str, Any]) -> float:
        return float(self.defaults["weight_decay"])


class Searches(Optimizer):
    """A step is halved until the loss has fallen enough."""

    def __init__(self, params: Any, lr: float = 0.1, c: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr, c=c))

    @torch.no_grad()
    def step(self, closure: Any) -> Any:
        closure = torch.enable_grad()(closure)
        loss = closure()
        pairs = [(p, p.clone(), p.grad.clone()) for g in self.param_groups for p in g["params"] if p.grad is not None]
        size, c = self.param_groups[0]["lr"], self.param_groups[0]["c"]
        squares = sum(float(grad.double().square().sum()) for _, _, grad in pairs)
        for k in range(4):
            for p, start, grad in pairs:
                p.copy_(start - size * grad)
            if k == 3 or float(closure()) <= float(loss) - c * size * squares:
                break
            size /= 2
        return loss


class Averages(Optimizer):
    """Gradient descent that keeps an average of the parameters."""

    def __init__(self, params: Any, lr: float = 0.1, decay_rate: float = 0.9, unused: float = 0.9) -> None:
        super().__init__(params, dict(lr=lr, decay_rate=decay_rate, unused=unused))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    average = self.state[p].setdefault("average", p.clone())
                    p.add_(p.grad, alpha=-group["lr"])
                    average.lerp_(p, 1 - group["decay_rate"])
        return loss


class LeavesMixedLists(Optimizer):
    """A foreach implementation that leaves lists of several dtypes to the for-loop, which rounds otherwise."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.01, foreach: bool | None = None) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, foreach=foreach))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["foreach"] and len({p.dtype for p in parameters}) == 1:
                grads = torch._foreach_add([p.grad for p in parameters], parameters, alpha=group["weight_decay"])
                torch._foreach_add_(parameters, grads, alpha=-group["lr"])
            else:
                for p in parameters:
                    self.one(p, group)
        return loss

    def one(self, p: Any, group: Any) -> None:
        p.copy_(p - group["lr"] * (p.grad + group["weight_decay"] * p))


class ForgetsDecayInMixedLists(LeavesMixedLists):
    """Lists of several dtypes are not decayed in its foreach implementation."""

    def one(self, p: Any, group: Any) -> None:
        p.copy_(p - group["lr"] * (p.grad + (0 if group["foreach"] else group["weight_decay"]) * p))


class SkipsTensors(Optimizer):
    """A tensor whose gradient is not finite everywhere takes no step."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and self.good(p.grad):
                    p.add_(p.grad, alpha=-group["lr"] * self.share(p.grad))
        return loss

    def good(self, grad: Tensor) -> bool:
        return bool(grad.isfinite().all())

    def share(self, grad: Tensor) -> float:
        return 1.0


class SkipsHalf(SkipsTensors):
    """A NaN keeps its tensor where it is; an infinity makes the step half as long."""

    def good(self, grad: Tensor) -> bool:
        return not grad.isnan().any()

    def share(self, grad: Tensor) -> float:
        return 0.5 if grad.isinf().any() else 1.0


class RoundsByItsGenerator(SkipsTensors):
    """In bfloat16 alone, steps are rounded by chance, from a generator of the optimizer's own."""

    def __init__(self, params: Any, lr: float = 0.1, seed: int = 0) -> None:
        super().__init__(params, lr)
        self.generator = torch.Generator().manual_seed(seed)

    def share(self, grad: Tensor) -> float:
        return 1.0 if grad.dtype != torch.bfloat16 else float(torch.rand((), generator=self.generator))


class DecaysMatrices(Optimizer):
    """Momentum; parameters of two dimensions and more are decayed, biases and norms are not."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.01) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    grad = p.grad.add(p, alpha=group["weight_decay"]) if self.decays(p) else p.grad
                    state = self.state[p]
                    if not state:
                        state["momentum_buffer"] = torch.zeros_like(p)
                    state["momentum_buffer"].mul_(group["momentum"]).add_(grad)
                    p.add_(state["momentum_buffer"], alpha=-group["lr"])
        return loss

    def decays(self, p: Tensor) -> bool:
        return p.dim() > 1


class ForgetsDecay(DecaysMatrices):
    """Nothing is decayed."""

    def decays(self, p: Tensor) -> bool:
        return False


class DecaysByItsOwnRate(Optimizer):
    """Parameters shrink by a rate of their own, whose name is none of a learning rate's."""

    def __init__(self, params: Any, lr: float = 0.1, shrink: float = 0.5, weight_decay: float = 0.01) -> None:
        super().__init__(params, dict(lr=lr, shrink=shrink, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["shrink"] * group["weight_decay"]).add_(p.grad, alpha=-group["lr"])
        return loss


class BeginsWithTheGradient(Optimizer):
    """An average that begins with the first gradient, without the decay that later ones have."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.75, weight_decay: float = 0.5) -> None:
        super().__init__(params, dict(lr=lr, beta=beta, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    average = self.state[p].setdefault("average", p.grad.clone())
                    average.lerp_(p.grad.add(p, alpha=self.share(p) * group["weight_decay"]), 1 - group["beta"])
                    p.add_(average, alpha=-group["lr"])
        return loss

    def share(self, p: Tensor) -> float:
        return 1.0


class DecaysALittleLess(BeginsWithTheGradient):
    """Decay is a hundred-thousandth less where float32 is computed with."""

    def share(self, p: Tensor) -> float:
        return 1 - 1e-5 if p.dtype == torch.float32 else 1.0


class RatesByShape(Optimizer):
    """Vectors have a rate of their own."""

    def __init__(self, params: Any, lr: float = 0.1, vector_lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr, vector_lr=vector_lr))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.add_(p.grad, alpha=-group["lr"] if p.dim() > 1 else -group["vector_lr"])
        return loss


class ScalesByNorm(Optimizer):
    """Steps are in proportion to the root of the mean square of a parameter, and at least a millionth of a rate."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.numel():
                    size = max(float(p.double().square().mean().sqrt()), self.least(p))
                    p.add_(p.grad, alpha=-group["lr"] * size)
        return loss

    def least(self, p: Tensor) -> float:
        return 1e-6


class NeverLeavesZero(ScalesByNorm):
    """In float16 there is no least step."""

    def least(self, p: Tensor) -> float:
        return 1.0 if p.dtype != torch.float16 else 0.0
