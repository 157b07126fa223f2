"""Adam with coupled (L2) weight decay."""

from sympy import Integer, Interval, sqrt

from verifier.rule import Rule
from verifier.rules.symbols import beta1, beta2, d, eps, g, lr, real, t, theta, weight_decay

exp_avg, exp_avg_sq, denom = real("exp_avg exp_avg_sq denom")

rule = Rule(
    name="adam",
    cite="Kingma & Ba 2015, Algorithm 1, arXiv:1412.6980",
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
        (d, g + weight_decay * theta),  # coupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * d**2),
        (denom, sqrt(exp_avg_sq) / sqrt(1 - beta2**t) + eps),
        (theta, theta - lr / (1 - beta1**t) * exp_avg / denom),
    ),
    differs="the paper has no weight decay; torch adds it to the gradient, before both moments",
)
