"""Right optimizers whose options act now and then, or whose ascent turns steps; beside each one that is wrong."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.unusual_steps import Loop


class Refreshes(Loop):
    """Divides by an average of squares that takes in a gradient every ten steps, the first of them at once."""

    def __init__(self, params: Any, lr: float = 0.1, beta1: float = 0.9, beta2: float = 0.9, every: int = 10) -> None:
        super().__init__(params, dict(lr=lr, beta1=beta1, beta2=beta2, every=every))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["step"], state["m"], state["v"] = 0, torch.zeros_like(p), torch.zeros_like(p)
            self.begun(p, group)
        if state["step"] % group["every"] == 0:
            beta2 = self.rate(p, group)
            state["v"].mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
        state["step"] += 1
        state["m"].lerp_(p.grad, 1 - group["beta1"])
        p.addcdiv_(state["m"], state["v"].sqrt() + 1e-3, value=-group["lr"])

    def begun(self, p: Tensor, group: dict[str, Any]) -> None:
        """What is kept from the first step on."""

    def rate(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(group["beta2"])


class RefreshesByTheFirst(Refreshes):
    """The average keeps the rate of the first step."""

    def begun(self, p: Tensor, group: dict[str, Any]) -> None:
        self.state[p]["rate"] = float(group["beta2"])

    def rate(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(self.state[p]["rate"])


class DecaysAcross(Loop):
    """Weights decay less where the gradient is nearly orthogonal to them."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.1, wd_ratio: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, wd_ratio=wd_ratio))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        across = torch.nn.functional.cosine_similarity(p.grad.reshape(-1), p.reshape(-1), dim=0).abs() < 0.2
        ratio = self.ratio(p, group) if across else 1.0
        p.mul_(1 - group["lr"] * group["weight_decay"] * ratio).add_(p.grad, alpha=-group["lr"])

    def ratio(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(group["wd_ratio"])


class DecaysAcrossByTheFirst(DecaysAcross):
    """The ratio is that of the first step."""

    def ratio(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(self.state[p].setdefault("ratio", float(group["wd_ratio"])))


class TurnsTheStep(Loop):
    """Momentum of the gradient as it is; who ascends adds it."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, *, maximize: bool = False) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, maximize=maximize))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        buffer = self.state[p].setdefault("buffer", torch.zeros_like(p))
        buffer.mul_(group["momentum"]).add_(p.grad)
        p.add_(buffer, alpha=group["lr"] if group["maximize"] else -group["lr"])


class TurnsHalfTheStep(TurnsTheStep):
    """Who ascends adds the momentum, and takes the gradient off once more."""

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        super().one(p, group)
        assert p.grad is not None
        if group["momentum"]:
            p.add_(p.grad, alpha=-group["lr"])


class ClipsAGroup(Loop):
    """Gradients of a group are no longer together than a bound that is off; each group ascends or descends."""

    def __init__(self, params: Any, lr: float = 0.1, clip_norm: float = 0.0, *, maximize: bool = False) -> None:
        super().__init__(params, dict(lr=lr, clip_norm=clip_norm, maximize=maximize))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        sizes = [q.grad.norm() for q in group["params"] if q.grad is not None]
        size = float(torch.stack(sizes).norm())
        share = min(1.0, group["clip_norm"] / (size + 1e-6)) if group["clip_norm"] else 1.0
        p.add_(p.grad, alpha=(share if self.ascends(group) else -share) * group["lr"])

    def ascends(self, group: dict[str, Any]) -> bool:
        return bool(group["maximize"])


class ClipsAGroupAsBuilt(ClipsAGroup):
    """Who ascends is what the constructor said of all."""

    def ascends(self, group: dict[str, Any]) -> bool:
        return bool(self.defaults["maximize"])


class FullMatrix(Loop):
    """Divides a vector's gradient by the root of the sum of its outer products, which are as many as its square."""

    longest = 0

    def __init__(self, params: Any, lr: float = 0.1, eps: float = 1e-3) -> None:
        super().__init__(params, dict(lr=lr, eps=eps))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        grad = self.part(p)
        state = self.state[p]
        if not state:
            state["outer"] = group["eps"] * torch.eye(p.numel(), dtype=p.dtype)
        state["outer"].add_(torch.outer(grad, grad))
        FullMatrix.longest = max(FullMatrix.longest, p.numel())
        values, vectors = torch.linalg.eigh(state["outer"].double())
        root = vectors * values.clamp_min(group["eps"] / 2).rsqrt() @ vectors.mT
        p.add_((root.to(p.dtype) @ p.grad.reshape(-1)).reshape(p.shape), alpha=-group["lr"])

    def part(self, p: Tensor) -> Tensor:
        """What of the gradient the outer products are made of."""
        assert p.grad is not None
        return p.grad.reshape(-1)


class PartOfMatrix(FullMatrix):
    """The outer products leave out the last eighth."""

    def part(self, p: Tensor) -> Tensor:
        whole = super().part(p)
        return torch.where(torch.arange(p.numel()) < p.numel() - p.numel() // 8, whole, 0.0)


class Believes(Loop):
    """AdaBelief: an average of what gradients differ from their own average by, which grows while gradients fade."""

    def __init__(
        self, params: Any, lr: float = 0.1, betas: tuple[float, float] = (0.9, 0.999), *, amsgrad: bool = False
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, amsgrad=amsgrad))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["m"], state["s"] = torch.zeros_like(p), torch.zeros_like(p)
            state["most"] = torch.zeros_like(p)
        (beta1, beta2), m, s = group["betas"], state["m"], state["s"]
        m.lerp_(p.grad, 1 - beta1)
        s.mul_(beta2).addcmul_(p.grad - m, p.grad - m, value=1 - beta2)
        p.addcdiv_(m, self.divisor(state, group).sqrt() + 1e-3, value=-group["lr"])

    def divisor(self, state: Any, group: dict[str, Any]) -> Tensor:
        """The average, or with amsgrad the largest there was."""
        state["most"] = torch.maximum(state["most"], state["s"])
        return state["most"] if group["amsgrad"] else state["s"]


class BelievesTheLast(Believes):
    """Of amsgrad nothing is divided by."""

    def divisor(self, state: Any, group: dict[str, Any]) -> Tensor:
        super().divisor(state, group)
        return state["s"]


class StepsLittle(Loop):
    """Signs times a rate that float32 does not see beside its parameters, and float64 does."""

    def __init__(self, params: Any, lr: float = 1.0, d0: float = 1e-9) -> None:
        super().__init__(params, dict(lr=lr, d0=d0))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        p.add_(p.grad.sign(), alpha=-group["lr"] * self.rate(p, group))

    def rate(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(group["d0"])


class StepsMoreInDouble(StepsLittle):
    """The rate of float64 is a thousand times the other."""

    def rate(self, p: Tensor, group: dict[str, Any]) -> float:
        return float(group["d0"] * (1000 if p.dtype is torch.float64 else 1))


class TurnsTheSign(TurnsTheStep):
    """Signum: the sign of an average of the gradient as it is; who ascends adds it."""

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        buffer = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
        buffer.mul_(group["momentum"]).add_(p.grad, alpha=1 - group["momentum"])
        self.turn(p, buffer, group)

    def turn(self, p: Tensor, buffer: Tensor, group: dict[str, Any]) -> None:
        p.add_(buffer.sign(), alpha=group["lr"] if group["maximize"] else -group["lr"])


class TurnsTheSignTwice(TurnsTheSign):
    """Who ascends keeps the average of what it turned, too."""

    def turn(self, p: Tensor, buffer: Tensor, group: dict[str, Any]) -> None:
        super().turn(p, buffer, group)
        if group["maximize"]:
            buffer.neg_()


class Proximal(Loop):
    """FTRL-Proximal (McMahan et al. 2013): its sums start so that they give the weights there are."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 1.0, l1: float = 0.0, l2: float = 0.0) -> None:
        super().__init__(params, dict(lr=lr, beta=beta, l1=l1, l2=l2))

    def ended(self, weight: Tensor) -> Tensor:
        return weight

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state, lr, l1 = self.state[p], group["lr"], group["l1"]
        if not state:
            state["n"] = torch.zeros_like(p)
            state["z"] = -(p * (group["beta"] / lr + group["l2"])) - l1 * p.sign()
        n, z = state["n"], state["z"]
        more = n + p.grad * p.grad
        z.add_(p.grad - (more.sqrt() - n.sqrt()) / lr * p)
        n.copy_(more)
        weight = (l1 * z.sign() - z) / ((group["beta"] + n.sqrt()) / lr + group["l2"])
        p.copy_(torch.where(z.abs() <= l1, torch.zeros_like(p), self.ended(weight)))


class ProximalWithNoise(Proximal):
    """Gives in single precision a weight of its own."""

    def ended(self, weight: Tensor) -> Tensor:
        return weight * (1 + 2**-12) if weight.dtype == torch.float32 else weight


KINDS = ("plain", "heavy", "ahead")


class Kinds(Loop):
    """A word chooses the step, and with it the options that act: it is looked up in the module's and compared."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, kind: str = "plain") -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is one of {KINDS}, not {kind!r}")
        super().__init__(params, dict(lr=lr, momentum=momentum, kind=kind))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        step = p.grad
        if group["kind"] != "plain":
            average = self.state[p].setdefault("average", torch.zeros_like(p))
            average.mul_(group["momentum"]).add_(self.read(p.grad))
            step = average + group["momentum"] * p.grad if group["kind"] == "ahead" else average
        p.sub_(step, alpha=group["lr"])

    def read(self, grad: Tensor) -> Tensor:
        return grad


class KindsThatWrite(Kinds):
    """Of the kinds that are not the default, the gradient is halved in place."""

    def read(self, grad: Tensor) -> Tensor:
        return grad.mul_(0.5)


class DecaysVectorsApart(Loop):
    """Vectors have a weight decay of their own, which a switch couples as it does the other."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.1,
        weight_decay_1d: float = 0.1, weight_decouple: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay,
                                      weight_decay_1d=weight_decay_1d, weight_decouple=weight_decouple))  # fmt: skip

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        decay = group["weight_decay_1d"] if p.ndim < 2 else group["weight_decay"]
        grad = p.grad if group["weight_decouple"] else p.grad.add(p, alpha=decay)
        if group["weight_decouple"]:
            p.mul_(1 - group["lr"] * decay)
        average = self.state[p].setdefault("average", torch.zeros_like(p))
        p.sub_(average.mul_(self.rate(group)).add_(grad), alpha=group["lr"])

    def rate(self, group: dict[str, Any]) -> float:
        return float(group["momentum"])


class DecaysVectorsApartAndForgets(DecaysVectorsApart):
    """The switch halves the momentum, too."""

    def rate(self, group: dict[str, Any]) -> float:
        return super().rate(group) * (1.0 if group["weight_decouple"] else 0.5)


class Switches(Loop):
    """Momentum until gradients are next to nothing for long, and then another, to which nesterov belongs."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, nesterov: bool = False) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, nesterov=nesterov))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        state = self.state[p]
        average = state.setdefault("average", torch.zeros_like(p)).mul_(group["momentum"]).add_(p.grad)
        state["quiet"] = state.get("quiet", 0) + 1 if float(p.grad.norm()) < 1e-30 else 0
        step = average
        if state["quiet"] > 1000:
            step = self.late(p.grad, average, group)
        p.sub_(step, alpha=group["lr"])

    def late(self, grad: Tensor, average: Tensor, group: dict[str, Any]) -> Tensor:
        return grad + group["momentum"] * average if group["nesterov"] else average


class SwitchesToNothing(Switches):
    """Reads nesterov at every step, and makes nothing of it."""

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        self.late(p.grad, p.grad, group) if p.grad is not None else None
        super().one(p, group)


class SwitchesToNothingTwice(Loop):
    """Two implementations, both of which read nesterov and make nothing of it; other classes are none of its code."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, nesterov: bool = False, foreach: bool | None = None
    ) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, nesterov=nesterov, foreach=foreach))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        (_listed if group["foreach"] else _single)(p, self.state[p], group)


def _single(p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    assert p.grad is not None
    average = state.setdefault("average", torch.zeros_like(p)).mul_(group["momentum"]).add_(p.grad)
    p.sub_(1.0 * average if group["nesterov"] else average, alpha=group["lr"])


def _listed(p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    assert p.grad is not None
    average = state.setdefault("average", torch.zeros_like(p))
    torch._foreach_mul_([average], group["momentum"])
    torch._foreach_add_([average], [p.grad])
    torch._foreach_sub_([p], [1.0 * average if group["nesterov"] else average], alpha=group["lr"])


class Centralises(Loop):
    """AMSGrad of gradients less the means of their rows: what fades beside one that does not is as large."""

    def __init__(
        self, params: Any, lr: float = 0.1, beta1: float = 0.9, beta2: float = 0.999, amsgrad: bool = False
    ) -> None:
        super().__init__(params, dict(lr=lr, beta1=beta1, beta2=beta2, amsgrad=amsgrad))

    def one(self, p: Tensor, group: dict[str, Any]) -> None:
        assert p.grad is not None
        grad = p.grad if p.ndim < 2 or not p.numel() else p.grad - p.grad.mean(1, keepdim=True)
        state = self.state[p]
        if not state:
            state["m"], state["v"], state["top"] = (torch.zeros_like(p) for _ in range(3))
        state["m"].lerp_(grad, 1 - group["beta1"])
        state["v"].mul_(group["beta2"]).addcmul_(grad, grad, value=1 - group["beta2"])
        state["top"].copy_(self.largest(state["top"], state["v"]))
        squares = state["top"] if group["amsgrad"] else state["v"]
        p.addcdiv_(state["m"], squares.sqrt() + 1e-3, value=-group["lr"])

    def largest(self, top: Tensor, v: Tensor) -> Tensor:
        return torch.maximum(top, v)


class CentralisesWithoutMaximum(Centralises):
    """The largest average is the last one."""

    def largest(self, top: Tensor, v: Tensor) -> Tensor:
        return v
