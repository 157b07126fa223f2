"""QHAdam: Adam whose moments are averaged with the newest gradient."""

from sympy import Integer, Interval, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, d, eps, g, lr, real, theta, weight_decay

nu1, nu2, exp_avg, exp_avg_sq, update, denom = real("nu1 nu2 exp_avg exp_avg_sq update denom")

rule = Rule(
    name="qhadam",
    cite="Ma & Yarats 2019, QHAdam, arXiv:1810.06801",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        nu1: Interval(0, 1),
        nu2: Interval(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_avg_sq: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * d**2),
        (update, (1 - nu1) * d + nu1 * exp_avg / (1 - beta1**t)),
        (denom, sqrt((1 - nu2) * d**2 + nu2 * exp_avg_sq / (1 - beta2**t)) + eps),
        (theta, theta - lr * update / denom),
    ),
    differs="the paper has no weight decay; its authors' code couples it to the gradient",
)
