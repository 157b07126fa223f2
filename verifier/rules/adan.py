"""Adan: moments of gradients, of their differences, and of the gradient that both foresee."""

from sympy import Eq, Integer, Interval, Piecewise, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, eps, g, lr, real, theta, weight_decay

(beta3,) = real("beta3")
exp_avg, exp_avg_diff, exp_avg_sq, pre_grad = real("exp_avg exp_avg_diff exp_avg_sq pre_grad")
diff, ahead, update, denom = real("diff ahead update denom")

rule = Rule(
    name="adan",
    cite="Xie et al. 2022, Algorithm 1, arXiv:2208.06677",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        beta3: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_avg_diff: Integer(0), exp_avg_sq: Integer(0), pre_grad: Integer(0)},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (diff, Piecewise((0, Eq(t, 1)), (g - pre_grad, True))),
        (pre_grad, g),
        (exp_avg, beta1 * exp_avg + (1 - beta1) * g),
        (exp_avg_diff, beta2 * exp_avg_diff + (1 - beta2) * diff),
        (ahead, g + beta2 * diff),
        (exp_avg_sq, beta3 * exp_avg_sq + (1 - beta3) * ahead**2),
        (denom, sqrt(exp_avg_sq) / sqrt(1 - beta3**t) + eps),
        (update, exp_avg / (1 - beta1**t) + beta2 * exp_avg_diff / (1 - beta2**t)),
        (theta, theta - lr * update / denom),
    ),
    differs="the paper's betas are one minus those of its authors' code, as here; it corrects no bias, and it "
    "decays after the step by dividing by 1 + lr * weight_decay",
)
