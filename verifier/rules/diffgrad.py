"""DiffGrad: Adam whose step is held back where a gradient is much like the one before it."""

from sympy import Abs, Integer, Interval, exp, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, d, eps, g, lr, real, theta, weight_decay

exp_avg, exp_avg_sq, previous_grad = real("exp_avg exp_avg_sq previous_grad")
denom, friction = real("denom friction")

rule = Rule(
    name="diffgrad",
    cite="Dubey et al. 2020, diffGrad, arXiv:1909.11015",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_avg_sq: Integer(0), previous_grad: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * d**2),
        (denom, sqrt(exp_avg_sq) / sqrt(1 - beta2**t) + eps),
        (friction, 1 / (1 + exp(-Abs(previous_grad - d)))),
        (previous_grad, d),
        (theta, theta - lr / (1 - beta1**t) * friction * exp_avg / denom),
    ),
    differs="the paper has no weight decay; its authors' code couples it to the gradient, that of the step before too",
)
