"""Adamax: read out of torch.optim:Adamax.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Abs, Integer, Interval, Max, Symbol

from verifier.rule import Rule, t

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, beta1, beta2, eps, weight_decay, exp_avg, exp_inf, d,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "beta1", "beta2", "eps", "weight_decay", "exp_avg", "exp_inf", "d",
    )
)

rule = Rule(
    name="adamax",
    cite="read out of torch.optim:Adamax",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={
        exp_avg: Integer(0),
        exp_inf: Integer(0),
    },
    step=(
        (d, g + weight_decay * theta),
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (exp_inf, Max(beta2 * exp_inf, Abs(d) + eps)),
        (theta, theta - lr * exp_avg / (exp_inf * (1 - beta1**t))),
    ),
)
