"""AdaBelief: Adam whose step is divided by how far gradients are from their average."""

from sympy import Integer, Interval, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, eps, g, lr, real, theta, weight_decay

exp_avg, exp_avg_var, denom = real("exp_avg exp_avg_var denom")

rule = Rule(
    name="adabelief",
    cite="Zhuang et al. 2020, Algorithm 2, arXiv:2010.07468",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_avg_var: Integer(0)},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * g),
        (exp_avg_var, beta2 * exp_avg_var + (1 - beta2) * (g - exp_avg) ** 2),
        (denom, sqrt(exp_avg_var) / sqrt(1 - beta2**t) + eps),
        (theta, theta - lr / (1 - beta1**t) * exp_avg / denom),
    ),
    differs="the paper also adds eps to exp_avg_var on every step, and has no weight decay; its authors' code decays "
    "as AdamW does",
)
