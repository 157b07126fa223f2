"""PAdam: Adam with another power of its second moment than the root."""

from sympy import Integer, Interval, Rational, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, d, eps, g, lr, real, theta, weight_decay

(partial,) = real("partial")
exp_avg, exp_avg_sq, denom = real("exp_avg exp_avg_sq denom")

rule = Rule(
    name="padam",
    cite="Chen et al. 2020, Algorithm 1, arXiv:1806.06763",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        partial: Interval.Lopen(0, Rational(1, 2)),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_avg_sq: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * d**2),
        (denom, sqrt(exp_avg_sq) + eps),
        (theta, theta - lr * sqrt(1 - beta2**t) / (1 - beta1**t) * exp_avg / denom ** (2 * partial)),
    ),
    differs="the paper takes the largest second moment so far, corrects no bias, and has neither eps nor weight decay; "
    "its authors' code corrects as Adam does, and takes the largest where amsgrad is on",
)
