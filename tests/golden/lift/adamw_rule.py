"""AdamW: read out of torch.optim:AdamW.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Integer, Interval, sqrt, Symbol

from verifier.rule import Rule, t

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, beta1, beta2, eps, weight_decay, exp_avg, exp_avg_sq,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "beta1", "beta2", "eps", "weight_decay", "exp_avg", "exp_avg_sq",
    )
)

rule = Rule(
    name="adamw",
    cite="read out of torch.optim:AdamW",
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
        exp_avg_sq: Integer(0),
    },
    step=(
        (exp_avg, beta1 * exp_avg + (1 - beta1) * g),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * g**2),
        (
            theta,
            theta * (1 - lr * weight_decay) - lr * exp_avg / ((1 - beta1**t) * (sqrt(exp_avg_sq) / sqrt(1 - beta2**t) + eps)),
        ),
    ),
)
