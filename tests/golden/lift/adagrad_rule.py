"""Adagrad: read out of torch.optim:Adagrad.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Integer, Interval, sqrt, Symbol

from verifier.rule import Rule

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, weight_decay, eps, sum, d,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "weight_decay", "eps", "sum", "d",
    )
)

rule = Rule(
    name="adagrad",
    cite="read out of torch.optim:Adagrad",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        weight_decay: Interval(0, 1),
        eps: Interval(0, 1),
    },
    state={
        sum: Integer(0),
    },
    step=(
        (d, g + weight_decay * theta),
        (sum, sum + d**2),
        (theta, theta - lr * d / (sqrt(sum) + eps)),
    ),
)
