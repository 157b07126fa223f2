"""Adafactor, Muon, NovoGrad and LAMB written out, with one method for each line that a test writes otherwise."""

from __future__ import annotations

from typing import Any

import torch

Tensor = torch.Tensor
State = dict[str, Any]


class Adafactor(torch.optim.Optimizer):
    """Adafactor with a relative step, as Shazeer and Stern 2018 write it."""

    def __init__(self, params: Any, eps: tuple[float, float] = (1e-30, 1e-3), clip_threshold: float = 1.0,
                 decay_rate: float = -0.8, beta1: float | None = None, weight_decay: float = 0.0) -> None:  # fmt: skip
        defaults = {"eps": eps, "clip_threshold": clip_threshold, "decay_rate": decay_rate, "beta1": beta1,
                    "weight_decay": weight_decay}  # fmt: skip
        super().__init__(params, defaults)

    def fresh(self, step: int, group: State) -> Any:
        return step ** group["decay_rate"]

    def least(self, group: State) -> Any:
        return group["eps"][1]

    def estimate(self, row: Tensor, col: Tensor) -> Tensor:
        return row.unsqueeze(-1) * col / row.mean()

    def clipped(self, update: Tensor, bound: float) -> Tensor:
        return update / (self.rms(update) / bound).clamp(min=1.0)

    def rms(self, x: Tensor) -> Tensor:
        return x.square().mean().sqrt()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state, square = self.state[p], p.grad.square() + group["eps"][0]
                if not state:
                    state["step"] = 0
                    names = {"row": p.shape[:1], "col": p.shape[1:]} if p.dim() == 2 else {"sq": p.shape}
                    names |= {"exp_avg": p.shape} if group["beta1"] is not None else {}
                    state.update({name: p.new_zeros(shape) for name, shape in names.items()})
                state["step"] += 1
                fresh = self.fresh(state["step"], group)
                rate = torch.clamp(self.rms(p), min=self.least(group)) * min(1e-2, state["step"] ** -0.5)
                if p.dim() == 2:
                    state["row"].lerp_(square.mean(1), fresh)
                    state["col"].lerp_(square.mean(0), fresh)
                    update = p.grad / self.estimate(state["row"], state["col"]).sqrt()
                else:
                    update = p.grad / state["sq"].lerp_(square, fresh).sqrt()
                update = rate * self.clipped(update, group["clip_threshold"])
                if group["beta1"] is not None:
                    update = state["exp_avg"].mul_(group["beta1"]).add_(update, alpha=1 - group["beta1"])
                p.sub_(p * rate * group["weight_decay"] + update)


class Muon(torch.optim.Optimizer):
    """Muon, as Jordan et al. 2024 write it."""

    def __init__(self, params: Any, lr: float = 0.02, momentum: float = 0.95, weight_decay: float = 0.0,
                 nesterov: bool = True) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})

    def quintic(self, x: Tensor) -> Tensor:
        gram = x @ x.T
        return 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x

    def ahead(self, g: Tensor, buffer: Tensor, group: State) -> Tensor:
        return g.lerp(buffer, group["momentum"]) if group["nesterov"] else buffer

    def factor(self, p: Tensor) -> float:
        return float(max(1.0, p.shape[0] / p.shape[1]) ** 0.5)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                buffer = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                x = self.ahead(p.grad, buffer, group)
                x = x / (x.norm() + 1e-7)
                for _ in range(5):
                    x = self.quintic(x)
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * self.factor(p) * x)


class NovoGrad(torch.optim.Optimizer):
    """NovoGrad, as Ginsburg et al. 2019 write it."""

    def __init__(self, params: Any, lr: float = 1e-2, betas: tuple[float, float] = (0.95, 0.98), eps: float = 1e-8,
                 weight_decay: float = 0.0) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def size(self, g: Tensor) -> Tensor:
        return g.square().sum()

    def scaled(self, p: Tensor, root: Tensor, group: State) -> Tensor:
        return p.grad / root + group["weight_decay"] * p

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state, size = self.state[p], self.size(p.grad)
                if not state:
                    state.update(norms=size.clone(), velocity=torch.zeros_like(p))
                else:
                    state["norms"].mul_(beta2).add_(size, alpha=1 - beta2)
                root = state["norms"].sqrt() + group["eps"]
                p.sub_(group["lr"] * state["velocity"].mul_(beta1).add_(self.scaled(p, root, group)))


class Lamb(torch.optim.Optimizer):
    """LAMB, as You et al. 2020 write it, with a bound on the trust ratio."""

    def __init__(self, params: Any, lr: float = 1e-2, betas: tuple[float, float] = (0.9, 0.98), eps: float = 1e-6,
                 weight_decay: float = 0.01, trust_clip: float = 2.0) -> None:  # fmt: skip
        names = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "trust_clip": trust_clip}
        super().__init__(params, names)

    def below(self, update: Tensor, adam: Tensor, m: Tensor) -> Tensor:
        return update

    def most(self, group: State) -> float:
        bound: float = group["trust_clip"]
        return bound

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(step=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                state["step"] += 1
                m = state["m"].mul_(beta1).add_(p.grad, alpha=1 - beta1)
                v = state["v"].mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                corrected = v / (1 - beta2 ** state["step"])
                adam = m / (1 - beta1 ** state["step"]) / (corrected.sqrt() + group["eps"])
                update = adam + group["weight_decay"] * p
                ratio = p.norm() / self.below(update, adam, m).norm()
                p.sub_(group["lr"] * ratio.clamp(max=self.most(group)) * update)
