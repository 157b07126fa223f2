"""Right optimizers whose steps count, search or take options in unusual ways, and beside each one that is wrong."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tests.unusual import TwoAdditions


class Loop(Optimizer):
    """Steps each parameter that has a gradient; `begin` is called for its group before, with the group's number."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for k, group in enumerate(self.param_groups):
            self.begin(k, group)
            for p in group["params"]:
                if p.grad is not None:
                    self.one(p, group)
        return loss

    def begin(self, k: int, group: dict[str, Any]) -> None:
        """What is done once for a group."""

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        """The step of one parameter."""
        raise NotImplementedError


class WarmsUp(Loop):
    """Momentum corrected by a count of each parameter; a warm-up that is counted in the group."""

    def __init__(self, params: Any, lr: float = 0.1, beta1: float = 0.9, warmup_steps: int = 10) -> None:
        super().__init__(params, dict(lr=lr, beta1=beta1, warmup_steps=warmup_steps))

    def begin(self, k: int, group: dict[str, Any]) -> None:
        group["step"] = group.get("step", 0) + 1

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["t"], state["m"] = 0, torch.zeros_like(p)
        state["t"] += 1
        state["m"].lerp_(p.grad, 1 - group["beta1"])
        p.add_(state["m"], alpha=-self.rate(group) / (1 - group["beta1"] ** self.steps(group, state)))

    def rate(self, group: dict[str, Any]) -> float:
        return float(group["lr"] * min(1.0, group["step"] / group["warmup_steps"]))

    def steps(self, group: dict[str, Any], state: dict[str, Any]) -> int:
        """The steps that the momentum is corrected for."""
        return int(state["t"])


class CorrectsByGroup(WarmsUp):
    """Without the warm-up, and the corrections are made of the group's count, beside that of the parameter."""

    def rate(self, group: dict[str, Any]) -> float:
        return float(group["lr"])

    def steps(self, group: dict[str, Any], state: dict[str, Any]) -> int:
        return int(group["step"])


class CountsInTable(Loop):
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

    def begin(self, k: int, group: dict[str, Any]) -> None:
        self.counts[k] = self.counts.get(k, 0) + 1
        self.share = min(1.0, self.counts[k] / 4)

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        p.add_(p.grad.add(p, alpha=self.decay(group)), alpha=-group["lr"] * self.share)

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


class Averages(Loop):
    """Gradient descent that keeps an average of the parameters."""

    def __init__(self, params: Any, lr: float = 0.1, decay_rate: float = 0.9, unused: float = 0.9) -> None:
        super().__init__(params, dict(lr=lr, decay_rate=decay_rate, unused=unused))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        average = self.state[p].setdefault("average", p.clone())
        p.add_(p.grad, alpha=-group["lr"])
        average.lerp_(p, 1 - group["decay_rate"])


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


class SkipsTensors(Loop):
    """A tensor whose gradient is not finite everywhere takes no step."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        if self.good(p.grad):
            p.add_(p.grad, alpha=-group["lr"] * self.share(p.grad))

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


class DecaysMatrices(Loop):
    """Momentum; parameters of two dimensions and more are decayed, biases and norms are not."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.01) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        grad = p.grad.add(p, alpha=group["weight_decay"]) if self.decays(p) else p.grad
        state = self.state[p]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(p)
        state["momentum_buffer"].mul_(group["momentum"]).add_(grad)
        p.add_(state["momentum_buffer"], alpha=-group["lr"])

    def decays(self, p: Tensor) -> bool:
        return p.dim() > 1


class ForgetsDecay(DecaysMatrices):
    """Nothing is decayed."""

    def decays(self, p: Tensor) -> bool:
        return False


class DecaysByItsOwnRate(Loop):
    """Parameters shrink by a rate of their own, whose name is none of a learning rate's."""

    def __init__(self, params: Any, lr: float = 0.1, shrink: float = 0.5, weight_decay: float = 0.01) -> None:
        super().__init__(params, dict(lr=lr, shrink=shrink, weight_decay=weight_decay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        p.mul_(1 - group["shrink"] * group["weight_decay"]).add_(p.grad, alpha=-group["lr"])


class BeginsWithTheGradient(Loop):
    """An average that begins with the first gradient, without the decay that later ones have."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.75, weight_decay: float = 0.5) -> None:
        super().__init__(params, dict(lr=lr, beta=beta, weight_decay=weight_decay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        average = self.state[p].setdefault("average", p.grad.clone())
        average.lerp_(p.grad.add(p, alpha=self.share(p) * group["weight_decay"]), 1 - group["beta"])
        p.add_(average, alpha=-group["lr"])

    def share(self, p: Tensor) -> float:
        return 1.0


class DecaysALittleLess(BeginsWithTheGradient):
    """Decay is a hundred-thousandth less where float32 is computed with."""

    def share(self, p: Tensor) -> float:
        return 1 - 1e-5 if p.dtype == torch.float32 else 1.0


class RatesByShape(Loop):
    """Vectors have a rate of their own."""

    def __init__(self, params: Any, lr: float = 0.1, vector_lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr, vector_lr=vector_lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        p.add_(p.grad, alpha=-group["lr"] if p.dim() > 1 else -group["vector_lr"])


class ScalesByNorm(Loop):
    """Steps are in proportion to the root of the mean square of a parameter, and at least a millionth of a rate."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        super().__init__(params, dict(lr=lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        if p.numel():
            size = max(float(p.double().square().mean().sqrt()), self.least(p))
            p.add_(p.grad, alpha=-group["lr"] * size)

    def least(self, p: Tensor) -> float:
        return 1e-6


class NeverLeavesZero(ScalesByNorm):
    """In float16 there is no least step."""

    def least(self, p: Tensor) -> float:
        return 1.0 if p.dtype != torch.float16 else 0.0


class CountsByParameter(Loop):
    """The steps of each parameter are counted in a table of the optimizer's, by what the parameter is."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))
        self.counts: dict[int, int] = {}

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        self.counts[self.key(p)] = self.counts.get(self.key(p), 0) + 1
        p.add_(p.grad, alpha=-group["lr"] / self.counts[self.key(p)])

    def key(self, p: Tensor) -> int:
        return id(p)


class CountsAllAsOne(CountsByParameter):
    """Every parameter counts on in the first entry of the table."""

    def key(self, p: Tensor) -> int:
        return 0


class RelativeToItsRate(Loop):
    """Steps along a unit gradient; rates are set in relation to the one the constructor was given."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.9) -> None:
        super().__init__(params, dict(lr=lr, beta=beta, built=lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        average = self.state[p].setdefault("average", torch.zeros_like(p))
        average.lerp_(p.grad / (p.grad.norm() + 1), 1 - group["beta"])
        p.add_(average, alpha=-self.rate(group))

    def rate(self, group: dict[str, Any]) -> float:
        return float(group["built"] / 3 * (group["lr"] / group["built"]) * 3) if group["built"] else 0.0


class RateOfTheFirstGroup(RelativeToItsRate):
    """The rate is a thousandth of the way to that of the first group."""

    def rate(self, group: dict[str, Any]) -> float:
        return float(0.999 * group["lr"] + 0.001 * self.param_groups[0]["lr"])


class InOneVector(Optimizer):
    """All parameters of a group are stepped as one vector, so that where a parameter lies decides how it is rounded."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.01) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            for dtype in {p.dtype for p in parameters}:
                self.together([p for p in parameters if p.dtype == dtype], group)
        return loss

    def together(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        theta, grad = (torch.cat([x.reshape(-1) for x in part]) for part in (parameters, [p.grad for p in parameters]))
        decay = theta.clone()
        theta.add_(grad, alpha=-group["lr"])
        theta.add_(decay, alpha=-group["lr"] * group["weight_decay"] * self.share(theta))
        for p, part in zip(parameters, theta.split([p.numel() for p in parameters]), strict=True):
            p.copy_(part.view_as(p))

    def share(self, theta: Tensor) -> Any:
        return 1.0


class DecaysTheFirstLess(InOneVector):
    """The decay of the vector's first element is a thousandth less."""

    def together(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        first = parameters[0].reshape(-1)[:1].clone()
        super().together(parameters, group)
        parameters[0].view(-1)[:1].add_(first, alpha=group["lr"] * group["weight_decay"] / 1000)


class DividesByAConstant(Loop):
    """What is divided by is a constant of 1e-15 where nobody told it a curvature, which float16 cannot hold."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.9) -> None:
        super().__init__(params, dict(lr=lr, beta=beta))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["average"], state["curvature"] = torch.zeros_like(p), torch.zeros_like(p)
        state["average"].lerp_(p.grad, 1 - group["beta"])
        share = (state["average"].abs() / (state["curvature"] + 1e-15)).clamp(max=1)
        p.addcmul_(state["average"].sign(), share, value=-self.rate(p, group))

    def rate(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(group["lr"])


class LongerInBfloat16(DividesByAConstant):
    """In bfloat16 steps are a quarter longer."""

    def rate(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(group["lr"]) * (1.25 if p.dtype == torch.bfloat16 else 1)


class ReadsLater(Loop):
    """A gradient is read three steps after it came, and momentum begins with the second step."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        waiting = self.state[p].setdefault("waiting", [])
        waiting.append(p.grad.clone())
        if len(waiting) > 3:
            p.add_(waiting.pop(0), alpha=-group["lr"])


class EverySecond(Loop):
    """Every second step moves, along an average that begins with the second step; rates fall for a hundred steps."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        state["seen"] = state.get("seen", 0) + 1
        if state["seen"] % 2 == 0:
            average = state.setdefault("average", torch.zeros_like(p))
            average.mul_(group["momentum"]).add_(p.grad)
            p.add_(average, alpha=-group["lr"])


class Decreases(Loop):
    """Rates fall over `total` steps; -1 stands for none, written as a whole number."""

    def __init__(self, params: Any, lr: float = 0.1, total=-1) -> None:  # type: ignore[no-untyped-def]  # as people do
        super().__init__(params, dict(lr=lr, total=total))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        state["step"] = state.get("step", 0) + 1
        falling = group["total"] != -1
        p.add_(p.grad, alpha=-group["lr"] * (group["total"] / (group["total"] + state["step"]) if falling else 1))


class DecreasesInBfloat16(Decreases):
    """Steps half as far in bfloat16 where rates do not fall."""

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        if group["total"] == -1 and p.dtype == torch.bfloat16:
            p.sub_(p.grad, alpha=-group["lr"] / 2)
        super().one(p, group)


class InStages(Loop):
    """Normalised steps at a rate that rises, stays and then falls by an exponential, each for as long as is said."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.1, up: int = 5, stay: int = 10) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, up=up, stay=stay))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["step"], state["v"] = 0, torch.zeros_like(p)
        state["step"] += 1
        state["v"].mul_(0.9).addcmul_(p.grad, p.grad, value=0.1)
        rate = group["lr"] * self.share(state["step"], group["up"], group["stay"])
        p.mul_(self.left(p, rate, group["weight_decay"])).addcdiv_(p.grad, state["v"].sqrt() + 1e-3, value=-rate)

    def share(self, t: int, up: int, stay: int) -> float:
        return t / up if t <= up else 1.0 if t <= up + stay else math.exp((up + stay - t) / 8)

    def left(self, p: Tensor, rate: float, weight_decay: float) -> Any:
        return 1 - rate * weight_decay


class InStagesOfItsOwn(InStages):
    """The last stage begins after the thirteenth step, which no option says, and decay is by size."""

    def share(self, t: int, up: int, stay: int) -> float:
        return t / up if t <= up else 1.0 if t <= 13 else math.exp((13 - t) / 8)

    def left(self, p: Tensor, rate: float, weight_decay: float) -> Any:
        return 1 - rate * weight_decay * p.abs()


class LongAsItsParameter(TwoAdditions):
    """A step is as long as its parameter is, as in LARS: no rule of one element is read."""

    def one(self, p: Any, group: Any) -> None:
        p.sub_(p.grad * (p.norm() / (p.grad.norm() + 1e-8)), alpha=group["lr"])


class StopsAtNone(LongAsItsParameter):
    """Whoever comes after a parameter without a gradient waits for the next step."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    break
                self.one(p, group)
        return loss
