"""AdEMAMix: AdamW with a second, slower average of gradients."""

from sympy import Integer, Interval, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, eps, g, lr, real, theta, weight_decay

beta3, alpha = real("beta3 alpha")
exp_avg, exp_avg_slow, exp_avg_sq, update, denom = real("exp_avg exp_avg_slow exp_avg_sq update denom")

rule = Rule(
    name="ademamix",
    cite="Pagliardini et al. 2024, Algorithm 1, arXiv:2409.03137",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        beta3: Interval.Ropen(0, 1),
        alpha: Interval(0, 10),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_avg_slow: Integer(0), exp_avg_sq: Integer(0)},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * g),
        (exp_avg_slow, beta3 * exp_avg_slow + (1 - beta3) * g),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * g**2),
        (update, exp_avg / (1 - beta1**t) + alpha * exp_avg_slow),
        (denom, sqrt(exp_avg_sq) / sqrt(1 - beta2**t) + eps),
        (theta, theta - lr * update / denom),
    ),
    differs="alpha and beta3 are constants here, those that the paper's schedulers arrive at",
)
