"""Yogi: Adam whose second moment moves by no more than a share of the squared gradient."""

from sympy import Interval, sign, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, eps, g, lr, real, theta, weight_decay

initial_accumulator, exp_avg, exp_avg_sq, denom = real("initial_accumulator exp_avg exp_avg_sq denom")

rule = Rule(
    name="yogi",
    cite="Zaheer et al. 2018, Algorithm 2, NeurIPS 31",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        initial_accumulator: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: initial_accumulator, exp_avg_sq: initial_accumulator},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * g),
        (exp_avg_sq, exp_avg_sq - (1 - beta2) * sign(exp_avg_sq - g**2) * g**2),
        (denom, sqrt(exp_avg_sq) / sqrt(1 - beta2**t) + eps),
        (theta, theta - lr / (1 - beta1**t) * exp_avg / denom),
    ),
    differs="the paper corrects no bias, has no weight decay, and starts the second moment from squared gradients; "
    "implementations correct as Adam does, and start both moments from one small number",
)
