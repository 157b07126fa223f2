"""Right optimizers built as those of other packages are that audits were wrong about, and beside some a wrong one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tests.unusual import TwoAdditions


class NoComplexParameters(Exception):
    """What a class raises that takes no complex parameters."""


class RefusesComplex(TwoAdditions):
    """Complex parameters are refused, by an error of its own."""

    def one(self, p: Any, group: Any) -> None:
        if p.is_complex():
            raise NoComplexParameters("RefusesComplex takes no complex parameters")
        super().one(p, group)


class StumblesOverComplex(TwoAdditions):
    """Complex parameters are not in a table that it looks its formats up in."""

    def one(self, p: Any, group: Any) -> None:
        p.mul_({torch.float64: 1, torch.float32: 1, torch.float16: 1, torch.bfloat16: 1}[p.dtype])
        super().one(p, group)


class DividesBySizes(TwoAdditions):
    """Complex gradients are divided by how large they are, as numbers: torch.view_as_real is for pairs of numbers."""

    def one(self, p: Any, group: Any) -> None:
        size = p.grad.abs().square() if p.is_complex() else p.grad.square()
        p.sub_(p.grad / (size + 1).sqrt(), alpha=group["lr"])


class DividesBySquares(TwoAdditions):
    """Complex gradients are multiplied with themselves, where they should be with their conjugates: p.is_complex()."""

    def one(self, p: Any, group: Any) -> None:
        p.sub_(p.grad / (p.grad * p.grad + 1).sqrt(), alpha=group["lr"])


class DividesByRealParts(TwoAdditions):
    """Of complex gradients the real parts alone say how large they are."""

    def one(self, p: Any, group: Any) -> None:
        size = p.grad.real.square() if p.is_complex() else p.grad.square()
        p.sub_(p.grad / (size + 1).sqrt(), alpha=group["lr"])


class EstimatesOfSigns(TwoAdditions):
    """The step grows with how often signs of gradients have agreed, whatever their sizes; it is kept once."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        first = self.param_groups[0]
        signs = [p.grad.sign() for group in self.param_groups for p in group["params"] if p.grad is not None]
        agreed = sum(
            float((sign * self.state.setdefault("last", {}).get(k, sign)).sum()) for k, sign in enumerate(signs)
        )
        first["grown"] = first.get("grown", 1.0) + max(agreed, 0.0) / 64
        self.state["last"] = dict(enumerate(signs))
        return super().step(closure)

    def one(self, p: Any, group: Any) -> None:
        p.add_(p.grad, alpha=-group["lr"] * self.param_groups[0]["grown"])


class Projects(TwoAdditions):
    """Vectors move along the gradient, matrices along what of it is at right angles to them; foreach sums otherwise."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.01, foreach: bool = False) -> None:
        super(TwoAdditions, self).__init__(params, dict(lr=lr, weight_decay=weight_decay, foreach=foreach))

    def one(self, p: Any, group: Any) -> None:
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.add_(self.projected(p, group) if p.dim() > 1 else p.grad, alpha=-group["lr"])

    def projected(self, p: Any, group: Any) -> Any:
        along = torch._foreach_norm([p])[0] if group["foreach"] else p.norm()
        unit = p / (along + 1e-8)
        return p.grad - unit * ((unit.flatten() @ p.grad.flatten()) if group["foreach"] else (unit * p.grad).sum())


class ProjectsInLoops(Projects):
    """foreach leaves the projection of matrices out."""

    def projected(self, p: Any, group: Any) -> Any:
        return p.grad if group["foreach"] else super().projected(p, group)


class OfModel(TwoAdditions):
    """Takes the model, not its parameters."""

    def __init__(self, model: torch.nn.Module, lr: float = 0.1, weight_decay: float = 0.01) -> None:
        super().__init__([p for _, p in model.named_parameters()], lr, weight_decay)


class Shakes(TwoAdditions):
    """Steps are longer or shorter by chance, which numpy's generator decides."""

    def one(self, p: Any, group: Any) -> None:
        p.add_(p.grad, alpha=-group["lr"] * (1 + np.random.random()))


class ShakesByItself(TwoAdditions):
    """Steps are longer or shorter by chance, which a generator decides that nobody can seed."""

    def one(self, p: Any, group: Any) -> None:
        p.add_(p.grad, alpha=-group["lr"] * (1 + GENERATOR.random()))


GENERATOR = np.random.default_rng()


class RoundsByChance(TwoAdditions):
    """In bfloat16 it adds a little noise before it rounds; in other formats it does not."""

    def one(self, p: Any, group: Any) -> None:
        p.add_(p.grad, alpha=-group["lr"])
        if p.dtype == torch.bfloat16:
            p.add_(torch.rand_like(p), alpha=1 / 128)


class KeepsItsOwnWay(TwoAdditions):
    """Its state_dict is laid out in a way of its own, without an entry for state."""

    def state_dict(self) -> Any:
        return {"mine": super().state_dict()}

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict["mine"])


class Forgets(Projects):
    """Which implementation runs is decided by the constructor; the momentum is kept where no state_dict has it."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.01, foreach: bool = False) -> None:
        super().__init__(params, lr, weight_decay, foreach)
        self.kept: dict[Any, Any] = {}

    def projected(self, p: Any, group: Any) -> Any:
        found = super().projected(p, {"foreach": self.defaults["foreach"]})
        self.kept[p] = found + 0.5 * self.kept.get(p, 0)
        return self.kept[p]


class Switches(Projects):
    """Which implementation runs is decided by the constructor, whatever state_dict is loaded."""

    def projected(self, p: Any, group: Any) -> Any:
        return super().projected(p, {"foreach": self.defaults["foreach"]})


class AsksOfGroups(TwoAdditions):
    """Every group must say whether its matrices are to be turned into rotations; vectors cannot be."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.01) -> None:
        params = list(params)
        for group in params:
            if "rotate" not in group:
                raise ValueError("`rotate` must be set")
        super().__init__(params, lr, weight_decay)

    def one(self, p: Any, group: Any) -> None:
        p.add_(p.grad / p.grad.shape[0], alpha=-group["lr"] * (1 + group["rotate"]))


class DislikesThree(TwoAdditions):
    """A gradient of exactly 3 is not in its table, as few real ones are."""

    def one(self, p: Any, group: Any) -> None:
        p.mul_({True: 1.0}[bool((p.grad != 3.0).all())])
        super().one(p, group)


class MakesItsRate(TwoAdditions):
    """The rate is made of the number of steps, unless `relative_step` is off; then it is lr."""

    def __init__(self, params: Any, lr: float = 0.1, relative_step: bool = True) -> None:
        super(TwoAdditions, self).__init__(params, dict(lr=lr, relative_step=relative_step))

    def one(self, p: Any, group: Any) -> None:
        self.state[p]["step"] = self.state[p].get("step", 0) + 1
        p.add_(p.grad, alpha=-0.5 / self.state[p]["step"] if group["relative_step"] else -group["lr"])


class HasNoRate(MakesItsRate):
    """lr is read nowhere."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, {**group, "lr": 0.1})


class LerpsToTheOld(TwoAdditions):
    """Its average is a lerp from the gradient towards what was there, of which torch rounds the weight first."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.998) -> None:
        super(TwoAdditions, self).__init__(params, dict(lr=lr, beta=beta))

    def one(self, p: Any, group: Any) -> None:
        mean = self.state[p].setdefault("mean", torch.zeros_like(p))
        mean.copy_(torch.lerp(p.grad, mean, self.weight(group["beta"], p)))
        p.add_(mean, alpha=-group["lr"])

    def weight(self, beta: float, p: Any) -> float:
        return beta


class LerpsTooFar(LerpsToTheOld):
    """In tensors of more than forty elements the weight is off by a hundred-thousandth."""

    def weight(self, beta: float, p: Any) -> float:
        return beta - 1e-5 if p.numel() > 40 else beta


class TrainsSmall(TwoAdditions):
    """Only elements that are small when it is built are trained; of the others no gradient is read."""

    def __init__(self, params: Any, lr: float = 0.1, threshold: float = 1.0) -> None:
        super(TwoAdditions, self).__init__(params, dict(lr=lr, threshold=threshold))

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        if "mask" not in state:
            state["mask"] = p.abs() < group["threshold"]
        p.add_(torch.where(state["mask"], self.read(p.grad), torch.zeros_like(p)), alpha=-group["lr"])

    def read(self, grad: Any) -> Any:
        return grad


class TrainsSmallAndSwallows(TrainsSmall):
    """A gradient of NaN is taken for zero, of any element."""

    def read(self, grad: Any) -> Any:
        return grad.nan_to_num(0.0)


class MakesReady(TwoAdditions):
    """The first step is not taken; the second goes along signs alone, made as long as its tensor by its norm."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.99) -> None:
        super(TwoAdditions, self).__init__(params, dict(lr=lr, beta=beta))

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        if "square" not in state:
            state["square"] = torch.zeros_like(p)
            return
        state["square"].mul_(group["beta"]).addcmul_(p.grad, p.grad, value=1 - group["beta"])
        update = p.grad / state["square"].sqrt().clamp_min(1e-30)
        p.sub_(update, alpha=group["lr"] / max(self.length(update), 1e-30))

    def length(self, update: Any) -> float:
        return float(update.pow(2).mean().sqrt()) if update.numel() else 1.0


class MakesHalfReady(MakesReady):
    """The norm is that of the second half."""

    def length(self, update: Any) -> float:
        return super().length(update.flatten()[update.numel() // 2 :])


class StepsPairs(TwoAdditions):
    """Two parameters after each other are one pair, each of which moves by the gradient of the other."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p, q in zip(*self.halves(group["params"]), strict=False):
                if p.grad is not None and q.grad is not None:
                    p.sub_(p.grad * (1 + q.grad.mean() ** 2), alpha=group["lr"])
                    q.sub_(q.grad * (1 + p.grad.mean() ** 2), alpha=group["lr"])
        return loss

    def halves(self, parameters: Any) -> tuple[Any, Any]:
        return parameters[::2], parameters[1::2]


class LeavesTheLast(TwoAdditions):
    """The last parameter of a group is forgotten."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"][:-1]:
                if p.grad is not None:
                    self.one(p, group)
        return loss


class WarmsUpByItsBeta(TwoAdditions):
    """How long it warms up the constructor's beta says; averages and their correction read the group's."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.75) -> None:
        super(TwoAdditions, self).__init__(params, dict(lr=lr, beta=beta))
        self.given, self.length = beta, 2 / (1 - beta)

    def one(self, p: Any, group: Any) -> None:
        state, beta = self.state[p], self.read(group)
        state["step"] = state.get("step", 0) + 1
        mean = state.setdefault("mean", torch.zeros_like(p)).mul_(beta).add_(p.grad, alpha=1 - beta)
        p.sub_(mean / (1 - beta ** state["step"]), alpha=group["lr"] * min(1.0, state["step"] / self.length))

    def read(self, group: Any) -> float:
        return float(group["beta"])


class WarmsUpAndKeeps(WarmsUpByItsBeta):
    """The averages read the constructor's, too."""

    def read(self, group: Any) -> float:
        return self.given


class IteratesInBfloat16(TwoAdditions):
    """Signs of matrices by five iterations in bfloat16, which foreach multiplies out in another order."""

    def __init__(self, params: Any, lr: float = 0.1, foreach: bool = False) -> None:
        super(TwoAdditions, self).__init__(params, dict(lr=lr, foreach=foreach))

    def one(self, p: Any, group: Any) -> None:
        if p.dim() != 2 or not p.numel():
            p.add_(p.grad, alpha=-group["lr"])
            return
        x = (p.grad / (p.grad.norm() + 1e-7)).bfloat16()
        for _ in range(5):
            a = x @ x.mT
            if group["foreach"]:
                x = 3.4445 * x + (-4.775 * a + 2.0315 * (a @ a)) @ x
            else:
                x = 3.4445 * x - 4.775 * (a @ x) + 2.0315 * (a @ (a @ x))
        p.add_(x.to(p.dtype), alpha=-group["lr"] * (self.longer if group["foreach"] else 1))

    longer = 1.0


class IteratesAndStretches(IteratesInBfloat16):
    """The foreach steps are a third longer."""

    longer = 1.33


_GENERATORS: dict[str, torch.Generator] = {}


class BeginsByChance(TwoAdditions):
    """Where asked to, matrices are scaled by numbers drawn in their first step, from a generator of the module."""

    def __init__(self, params: Any, lr: float = 0.1, spectral: bool = False) -> None:
        super(TwoAdditions, self).__init__(params, dict(lr=lr, spectral=spectral))

    def one(self, p: Any, group: Any) -> None:
        if group["spectral"] and p.dim() == 2 and "u" not in self.state[p]:
            generator = _GENERATORS.setdefault("cpu", torch.Generator().manual_seed(42))
            self.state[p]["u"] = torch.rand(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
        p.sub_(p.grad * (1 + self.state[p].get("u", torch.zeros_like(p))), alpha=group["lr"])


class KeepsViews(TwoAdditions):
    """A flat view of each parameter is kept, which later steps change the parameter under."""

    def one(self, p: Any, group: Any) -> None:
        self.views = getattr(self, "views", {})
        self.views.setdefault(id(p), p.view(-1))
        super().one(p, group)


class KeepsGraphs(KeepsViews):
    """Beside it, something that autograd remembers."""

    def one(self, p: Any, group: Any) -> None:
        with torch.enable_grad():
            self.kept = p * 2
        super().one(p, group)


class KeepsEightBits(TwoAdditions):
    """State of a format of 8 bits, which torch pickles and does not unpickle."""

    def one(self, p: Any, group: Any) -> None:
        self.state[p].setdefault("anchor", p.detach().to(torch.float8_e4m3fn))
        super().one(p, group)
