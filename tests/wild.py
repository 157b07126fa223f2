"""Right optimizers in the styles found in the wild: an audit passes them, and single wrong lines are made in them."""

from __future__ import annotations

import math

import torch
from torch.optim import Optimizer


class AdamWLoop(Optimizer):
    """AdamW as a plain for-loop; eps outside; steps as Python ints; bias correction folded into the step size."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        if lr < 0:
            raise ValueError(f"Invalid lr {lr}")
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["exp_avg"] = torch.zeros_like(p)
                    state["exp_avg_sq"] = torch.zeros_like(p)
                state["step"] += 1
                p.mul_(1 - group["lr"] * group["weight_decay"])
                exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
                exp_avg.mul_(beta1).add_(p.grad, alpha=1 - beta1)
                exp_avg_sq.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                bias1 = 1 - beta1 ** state["step"]
                bias2 = 1 - beta2 ** state["step"]
                denom = (exp_avg_sq.sqrt() / math.sqrt(bias2)).add_(group["eps"])
                p.addcdiv_(exp_avg, denom, value=-group["lr"] / bias1)
        return loss


class AdamForeach(Optimizer):
    """AdamW with a for-loop and a foreach path, amsgrad and maximize, steps as tensors."""

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.01,
        amsgrad=False,
        maximize=False,
        foreach=None,
    ):
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                amsgrad=amsgrad,
                maximize=maximize,
                foreach=foreach,
            ),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params, grads, ms, vs, xs, steps = [], [], [], [], [], []
            for p in group["params"]:
                if p.grad is None:
                    continue
                params.append(p)
                grads.append(p.grad)
                state = self.state[p]
                if not state:
                    state["step"] = torch.tensor(0.0)
                    state["exp_avg"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                    state["exp_avg_sq"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                    if group["amsgrad"]:
                        state["max_exp_avg_sq"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                ms.append(state["exp_avg"])
                vs.append(state["exp_avg_sq"])
                if group["amsgrad"]:
                    xs.append(state["max_exp_avg_sq"])
                steps.append(state["step"])
            if not params:
                continue
            if group["foreach"]:
                self._many(group, params, grads, ms, vs, xs, steps)
            else:
                self._one(group, params, grads, ms, vs, xs, steps)
        return loss

    def _one(self, group, params, grads, ms, vs, xs, steps):
        beta1, beta2 = group["betas"]
        for i, p in enumerate(params):
            g = grads[i] if not group["maximize"] else -grads[i]
            steps[i] += 1
            t = steps[i].item()
            p.mul_(1 - group["lr"] * group["weight_decay"])
            ms[i].lerp_(g, 1 - beta1)
            vs[i].mul_(beta2).addcmul_(g, g, value=1 - beta2)
            bias1 = 1 - beta1**t
            bias2 = 1 - beta2**t
            if group["amsgrad"]:
                torch.maximum(xs[i], vs[i], out=xs[i])
                denom = (xs[i].sqrt() / bias2**0.5).add_(group["eps"])
            else:
                denom = (vs[i].sqrt() / bias2**0.5).add_(group["eps"])
            p.addcdiv_(ms[i], denom, value=-group["lr"] / bias1)

    def _many(self, group, params, grads, ms, vs, xs, steps):
        beta1, beta2 = group["betas"]
        if group["maximize"]:
            grads = torch._foreach_neg(grads)
        torch._foreach_add_(steps, 1)
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_lerp_(ms, grads, 1 - beta1)
        torch._foreach_mul_(vs, beta2)
        torch._foreach_addcmul_(vs, grads, grads, 1 - beta2)
        bias1 = [1 - beta1 ** t.item() for t in steps]
        bias2 = [(1 - beta2 ** t.item()) ** 0.5 for t in steps]
        if group["amsgrad"]:
            torch._foreach_maximum_(xs, vs)
            denom = torch._foreach_sqrt(xs)
        else:
            denom = torch._foreach_sqrt(vs)
        torch._foreach_div_(denom, bias2)
        torch._foreach_add_(denom, group["eps"])
        torch._foreach_addcdiv_(params, ms, denom, [-group["lr"] / b for b in bias1])


class SGDPlain(Optimizer):
    """SGD with momentum, dampening, Nesterov; coupled decay called wd."""

    def __init__(self, params, lr, momentum=0.0, dampening=0.0, wd=0.0, nesterov=False):
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening, wd=wd, nesterov=nesterov))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d_p = p.grad
                if group["wd"] != 0:
                    d_p = d_p.add(p, alpha=group["wd"])
                if group["momentum"] != 0:
                    state = self.state[p]
                    if "momentum_buffer" not in state:
                        buf = state["momentum_buffer"] = torch.clone(d_p).detach()
                    else:
                        buf = state["momentum_buffer"]
                        buf.mul_(group["momentum"]).add_(d_p, alpha=1 - group["dampening"])
                    d_p = d_p.add(buf, alpha=group["momentum"]) if group["nesterov"] else buf
                p.add_(d_p, alpha=-group["lr"])
        return loss


class LionLoop(Optimizer):
    """Lion."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad
                state = self.state[p]
                if len(state) == 0:
                    state["exp_avg"] = torch.zeros_like(p)
                exp_avg = state["exp_avg"]
                beta1, beta2 = group["betas"]
                p.data.mul_(1 - group["lr"] * group["weight_decay"])
                update = exp_avg.clone().mul_(beta1).add(grad, alpha=1 - beta1).sign_()
                p.add_(update, alpha=-group["lr"])
                exp_avg.mul_(beta2).add_(grad, alpha=1 - beta2)
        return loss


class Lars(Optimizer):
    """LARS."""

    def __init__(self, params, lr=0.1, momentum=0.9, weight_decay=0.0, trust_coefficient=0.001, eps=1e-8):
        super().__init__(
            params,
            dict(lr=lr, momentum=momentum, weight_decay=weight_decay, trust_coefficient=trust_coefficient, eps=eps),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for g in self.param_groups:
            for p in g["params"]:
                dp = p.grad
                if dp is None:
                    continue
                if p.ndim > 1:
                    dp = dp.add(p, alpha=g["weight_decay"])
                    param_norm = torch.norm(p)
                    update_norm = torch.norm(dp)
                    one = torch.ones_like(param_norm)
                    q = torch.where(
                        param_norm > 0.0,
                        torch.where(update_norm > 0, (g["trust_coefficient"] * param_norm / update_norm), one),
                        one,
                    )
                    dp = dp.mul(q)
                state = self.state[p]
                if "mu" not in state:
                    state["mu"] = torch.zeros_like(p)
                mu = state["mu"]
                mu.mul_(g["momentum"]).add_(dp)
                p.add_(mu, alpha=-g["lr"])
        return loss


class RMSpropKeras(Optimizer):
    """RMSprop as Keras has it: alpha called rho, centered, momentum after preconditioning."""

    def __init__(self, params, lr=1e-3, rho=0.9, momentum=0.0, eps=1e-7, centered=False):
        super().__init__(params, dict(lr=lr, rho=rho, momentum=momentum, eps=eps, centered=centered))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rho = group["rho"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                s = self.state[p]
                if not s:
                    s["velocity"] = torch.zeros_like(p)
                    s["momentum"] = torch.zeros_like(p)
                    s["average"] = torch.zeros_like(p)
                v = s["velocity"]
                v.mul_(rho).add_(g.square(), alpha=1 - rho)
                denominator = v + group["eps"]
                if group["centered"]:
                    s["average"].mul_(rho).add_(g, alpha=1 - rho)
                    denominator = denominator - s["average"].square()
                increment = group["lr"] * g * torch.rsqrt(denominator.clamp_min(group["eps"]))
                if group["momentum"] > 0:
                    s["momentum"].mul_(group["momentum"]).add_(increment)
                    increment = s["momentum"]
                p.sub_(increment)
        return loss


class Lookahead(Optimizer):
    """Lookahead around SGD, in one class: slow weights every k steps."""

    def __init__(self, params, lr=0.1, momentum=0.9, alpha=0.5, k=5):
        super().__init__(params, dict(lr=lr, momentum=momentum, alpha=alpha, k=k))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "slow" not in state:
                    state["slow"] = p.clone()
                    state["buf"] = torch.zeros_like(p)
                    state["count"] = 0
                state["buf"].mul_(group["momentum"]).add_(p.grad)
                p.add_(state["buf"], alpha=-group["lr"])
                state["count"] += 1
                if state["count"] % group["k"] == 0:
                    state["slow"].add_(p - state["slow"], alpha=group["alpha"])
                    p.copy_(state["slow"])
        return loss


class MasterAdamW(Optimizer):
    """AdamW that keeps float32 master copies of narrower parameters."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        saved = [s for _, s in sorted(state_dict["state"].items())]
        live = [p for g in self.param_groups for p in g["params"]]
        order = sorted(state_dict["state"])
        for index, values in zip(order, saved, strict=True):
            for name, value in values.items():
                if torch.is_tensor(value):
                    self.state[live[index]][name] = value.clone()

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                narrow = p.dtype in (torch.bfloat16, torch.float16)
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    if narrow:
                        state["master"] = p.float()
                    wide = state["master"] if narrow else p
                    state["exp_avg"] = torch.zeros_like(wide)
                    state["exp_avg_sq"] = torch.zeros_like(wide)
                w = state["master"] if narrow else p
                g = p.grad.float() if narrow else p.grad
                state["step"] += 1
                w.mul_(1 - group["lr"] * group["weight_decay"])
                state["exp_avg"].mul_(beta1).add_(g, alpha=1 - beta1)
                state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
                denom = (state["exp_avg_sq"].sqrt() / math.sqrt(1 - beta2 ** state["step"])).add_(group["eps"])
                w.addcdiv_(state["exp_avg"], denom, value=-group["lr"] / (1 - beta1 ** state["step"]))
                if narrow:
                    p.copy_(w)
        return loss


class AttributeAdam:
    """Adam that is no torch Optimizer: state in lists, one group."""

    def __init__(self, params, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
        self.params = list(params)
        self.lr, self.b1, self.b2, self.eps = lr, b1, b2, eps
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]
        self.t = 0

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    def step(self):
        self.t += 1
        with torch.no_grad():
            for i, p in enumerate(self.params):
                if p.grad is None:
                    continue
                g = p.grad
                self.m[i] = self.b1 * self.m[i] + (1 - self.b1) * g
                self.v[i] = self.b2 * self.v[i] + (1 - self.b2) * g * g
                mhat = self.m[i] / (1 - self.b1**self.t)
                vhat = self.v[i] / (1 - self.b2**self.t)
                p -= self.lr * mhat / (vhat.sqrt() + self.eps)
