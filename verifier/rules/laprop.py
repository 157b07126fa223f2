"""LaProp: gradients are normalised first, and averaged after."""

from sympy import Integer, Interval, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, eps, g, lr, real, theta, weight_decay

exp_avg, exp_avg_sq, denom = real("exp_avg exp_avg_sq denom")

rule = Rule(
    name="laprop",
    cite="Ziyin et al. 2020, Algorithm 1, arXiv:2002.04839",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_avg_sq: Integer(0)},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * g**2),
        (denom, sqrt(exp_avg_sq) / sqrt(1 - beta2**t) + eps),
        (exp_avg, beta1 * exp_avg + (1 - beta1) * g / denom),
        (theta, theta - lr / (1 - beta1**t) * exp_avg),
    ),
    differs="the paper has no weight decay",
)
