"""AdaMod: Adam whose rate, element by element, is held below an average of what it was."""

from sympy import Integer, Interval, Min, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, eps, g, lr, real, theta, weight_decay

(beta3,) = real("beta3")
exp_avg, exp_avg_sq, exp_avg_lr, denom, rate = real("exp_avg exp_avg_sq exp_avg_lr denom rate")

rule = Rule(
    name="adamod",
    cite="Ding et al. 2019, An Adaptive and Momental Bound Method for Stochastic Learning, arXiv:1910.12249",
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
    state={exp_avg: Integer(0), exp_avg_sq: Integer(0), exp_avg_lr: Integer(0)},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * g),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * g**2),
        (denom, sqrt(exp_avg_sq) / sqrt(1 - beta2**t) + eps),
        (rate, lr / (1 - beta1**t) / denom),
        (exp_avg_lr, beta3 * exp_avg_lr + (1 - beta3) * rate),
        (theta, theta - Min(rate, exp_avg_lr) * exp_avg),
    ),
    differs="the paper corrects the first moment itself, not the rate that is averaged, and has no weight decay; its "
    "authors' code decays as AdamW does and adds eps before the bias is corrected",
)
