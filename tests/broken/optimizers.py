"""A right optimizer, and wrong ones: each class breaks one line of it, and one contract, or few, must reject it."""

from __future__ import annotations

import copy
import itertools
from typing import Any, ClassVar

import torch
from torch.optim import Optimizer


class Right(Optimizer):
    """Momentum with coupled decay, a switch for Nesterov's form, and two implementations: nothing is wrong with it."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0, nesterov: bool = False,
        maximize: bool = False, foreach: bool | None = None,
    ) -> None:  # fmt: skip
        if not lr >= 0 or not 0 <= momentum < 1 or not weight_decay >= 0:
            raise ValueError("a hyperparameter is out of range")
        defaults = dict(
            lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize, foreach=foreach
        )
        super().__init__(params, defaults)

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(copy.deepcopy(state_dict))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = self.evaluated(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            for p in present:
                self.one(p, group)
        return loss

    def evaluated(self, closure: Any) -> Any:
        if closure is None:
            return None
        with torch.enable_grad():
            return closure()

    def gradient(self, p: Any, group: Any) -> Any:
        grad = -p.grad if group["maximize"] else p.grad
        return grad.add(p, alpha=group["weight_decay"])

    def one(self, p: Any, group: Any) -> None:
        grad = self.gradient(p, group)
        state = self.state[p]
        if not state:
            state["step"] = 0
            state["momentum"] = torch.zeros_like(p)
        state["step"] += 1
        state["momentum"].mul_(group["momentum"]).add_(grad)
        update = grad.add(state["momentum"], alpha=group["momentum"]) if group["nesterov"] else state["momentum"]
        p.add_(update, alpha=-self.rate(p, group, state))

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return group["lr"] / (1 + 0.1 * state["step"])


class Varying(Right):
    """Every run differs from the last: it counts over all optimizers there ever were."""

    count: ClassVar[Any] = itertools.count(1)

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) * (1 + 2.0**-10 * (next(self.count) % 3))


class WritesGradient(Right):
    """The decay is added to .grad itself."""

    def gradient(self, p: Any, group: Any) -> Any:
        if group["weight_decay"] and not group["maximize"]:
            return p.grad.add_(p, alpha=group["weight_decay"])
        return super().gradient(p, group)


class DecaysAbsent(Right):
    """Parameters without a gradient are decayed."""

    def step(self, closure: Any = None) -> Any:
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        p.mul_(1 - group["lr"] * group["weight_decay"])
        return super().step(closure)


class CountsTogether(Right):
    """The step number of every parameter is that of the optimizer, though each has one of its own."""

    total = 0

    def step(self, closure: Any = None) -> Any:
        self.total += 1
        return super().step(closure)

    def rate(self, p: Any, group: Any, state: Any) -> float:
        state["step"] = self.total
        return super().rate(p, group, state)


class SwallowsNaN(Right):
    """NaN gradients are silently zero."""

    def gradient(self, p: Any, group: Any) -> Any:
        return torch.nan_to_num(super().gradient(p, group), nan=0.0, posinf=torch.inf, neginf=-torch.inf)


class StopsAtInfinity(Right):
    """One infinite gradient stops its whole tensor."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return torch.zeros_like(grad) if torch.isinf(grad).any() else grad


class LeaksOption(Right):
    """Every group decays as the first."""

    def gradient(self, p: Any, group: Any) -> Any:
        return super().gradient(p, {**group, "weight_decay": self.param_groups[0]["weight_decay"]})


class ForgetsAddedGroups(Right):
    """Groups that come later are stepped with the constructor's lr."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        late = group is not self.param_groups[0] and len(self.param_groups) > 1 and self.grown
        return super().rate(p, {**group, "lr": self.defaults["lr"] / 2} if late else group, state)

    grown = False

    def add_param_group(self, param_group: Any) -> None:
        self.grown = hasattr(self, "_ready")
        super().add_param_group(param_group)

    def step(self, closure: Any = None) -> Any:
        self._ready = True
        return super().step(closure)


class MindsOrder(Right):
    """The last parameter of a list goes half as far."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        last = len(group["params"]) > 1 and p is group["params"][-1]
        return super().rate(p, group, state) / (2 if last else 1)


class MindsSize(Right):
    """Tensors of 64 elements and more lose their last one."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        if grad.numel() >= 64:
            grad = grad.clone()
            grad.view(-1)[-1] = 0
        return grad


class StumblesOverEmpty(Right):
    """The mean of an empty parameter's size is asked for."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) * (p.numel() / p.numel())


class MindsLayout(Right):
    """The update is added in the order of memory, not of elements."""

    def one(self, p: Any, group: Any) -> None:
        before = p.detach().clone()
        super().one(p, group)
        moved = (p - before).reshape(-1)
        p.copy_(before)
        if p.is_contiguous():
            p.view(-1).add_(moved)
        else:
            p.add_(moved.reshape(p.shape), alpha=0.5)


class MindsCompany(Right):
    """All parameters are stepped with the precision of the first."""

    def gradient(self, p: Any, group: Any) -> Any:
        return super().gradient(p, group).to(group["params"][0].dtype).to(p.dtype) * (
            0.5 if any(q.dtype != p.dtype for q in group["params"]) else 1.0
        )


class KeepsRate(Right):
    """lr is read once, in the constructor."""

    def __init__(self, params: Any, lr: float = 0.1, **options: Any) -> None:
        super().__init__(params, lr=lr, **options)
        self.kept = lr

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, {**group, "lr": self.kept}, state)


class DescendsAfterAll(Right):
    """maximize is forgotten after the first step."""

    def gradient(self, p: Any, group: Any) -> Any:
        forget = bool(self.state[p])
        return super().gradient(p, {**group, "maximize": group["maximize"] and not forget})


class KeepsStateElsewhere(Right):
    """The momentum is in an attribute, which no state_dict carries."""

    def one(self, p: Any, group: Any) -> None:
        held = self.__dict__.setdefault("held", {})
        self.state[p] = {"step": self.state[p].get("step", 0), "momentum": held.setdefault(p, torch.zeros_like(p))}
        super().one(p, group)
        self.state[p].pop("momentum")


class ResetsOnSave(Right):
    """Taking a state_dict starts the count anew."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        for state in self.state.values():
            state["step"] = 0
        return saved


class ResetsOnLoad(Right):
    """Loading a state_dict keeps the lr of the constructor."""

    def load_state_dict(self, state_dict: Any) -> None:
        rates = [group["lr"] for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate


class SharesState(Right):
    """A loaded state_dict is taken as it is, and changes with every step."""

    def load_state_dict(self, state_dict: Any) -> None:
        Optimizer.load_state_dict(self, state_dict)


class HoldsClosuresUnderNoGrad(Right):
    """The closure is called with gradients disabled."""

    def evaluated(self, closure: Any) -> Any:
        return None if closure is None else closure()


class DropsLoss(Right):
    """The closure's value is not returned."""

    def step(self, closure: Any = None) -> Any:
        super().step(closure)


class Hoards(Right):
    """Every update is kept."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        self.state[p].setdefault("all", []).append(p.clone())


class KeepsGraph(Right):
    """The momentum is computed with gradients enabled, and keeps its graph."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        with torch.enable_grad():
            self.state[p]["seen"] = p * 1.0


class ResetsOnZeroGrad(Right):
    """zero_grad starts the momentum anew."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for state in self.state.values():
            state["momentum"].zero_()


class CountsIdleSteps(Right):
    """Steps without any gradient are counted."""

    def step(self, closure: Any = None) -> Any:
        for state in self.state.values():
            idle = all(p.grad is None for group in self.param_groups for p in group["params"])
            state["step"] += idle
        return super().step(closure)


class SharesRate(Right):
    """The lr of a step is the one that the class, whichever optimizer it was, used last."""

    last: ClassVar[dict[str, float]] = {}

    def rate(self, p: Any, group: Any, state: Any) -> float:
        used = self.last.get("lr", group["lr"])
        self.last["lr"] = group["lr"]
        return super().rate(p, {**group, "lr": used}, state)


class ReadsUnwritten(Right):
    """The momentum starts as whatever was in memory."""

    def one(self, p: Any, group: Any) -> None:
        if not self.state[p]:
            self.state[p].update(step=0, momentum=torch.empty_like(p))
        super().one(p, group)


class ForeachDiffers(Right):
    """The foreach implementation forgets Nesterov's form."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, {**group, "nesterov": False} if group["foreach"] else group)


class SharesMomentum(Right):
    """Parameters of one shape share one momentum."""

    def one(self, p: Any, group: Any) -> None:
        if not self.state[p]:
            kept = self.__dict__.setdefault("kept", {})
            momentum = kept.setdefault((tuple(p.shape), p.dtype), torch.zeros_like(p))
            self.state[p] = {"step": 0, "momentum": momentum}
        super().one(p, group)


REJECTED: dict[type[Optimizer], str] = {
    Varying: "determinism",
    WritesGradient: "purity",
    DecaysAbsent: "absent_gradients",
    CountsTogether: "late_parameters",
    SwallowsNaN: "nan_stays",
    StopsAtInfinity: "infinity_stays",
    LeaksOption: "groups",
    ForgetsAddedGroups: "added_group",
    MindsOrder: "order",
    MindsSize: "sizes",
    StumblesOverEmpty: "shapes",
    MindsLayout: "layouts",
    MindsCompany: "mixed_dtypes",
    KeepsRate: "schedule",
    DescendsAfterAll: "maximize",
    KeepsStateElsewhere: "resume",
    ResetsOnSave: "saving",
    ResetsOnLoad: "resume_over_others",
    SharesState: "state_apart",
    HoldsClosuresUnderNoGrad: "closure",
    DropsLoss: "closure",
    Hoards: "bounded_memory",
    KeepsGraph: "no_graph",
    SharesMomentum: "own_state",
    ResetsOnZeroGrad: "zero_grad",
    CountsIdleSteps: "idle_step",
    SharesRate: "neighbours",
    ReadsUnwritten: "written_memory",
    ForeachDiffers: "implementations",
}
"""Each mistake, and the contract that must reject it."""
