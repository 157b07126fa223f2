"""Adamax: Adam with the infinity norm in place of the second moment."""

from sympy import Abs, Integer, Interval, Max

from verifier.rule import Rule
from verifier.rules.symbols import beta1, beta2, d, eps, g, lr, real, t, theta, weight_decay

exp_avg, exp_inf = real("exp_avg exp_inf")

rule = Rule(
    name="adamax",
    cite="Kingma & Ba 2015, Algorithm 2, arXiv:1412.6980",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_inf: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (exp_inf, Max(beta2 * exp_inf, Abs(d) + eps)),
        (theta, theta - lr / (1 - beta1**t) * exp_avg / exp_inf),
    ),
    differs="the paper has neither eps nor weight decay; torch adds eps to |g| inside the maximum, where it also "
    "decays with the norm, and adds coupled weight decay to the gradient",
)
