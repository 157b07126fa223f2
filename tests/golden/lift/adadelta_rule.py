"""Adadelta: read out of torch.optim:Adadelta.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Integer, Interval, sqrt, Symbol

from verifier.rule import Rule

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, rho, eps, weight_decay, square_avg, acc_delta, d, u, acc_delta_next,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "rho", "eps", "weight_decay", "square_avg", "acc_delta", "d", "u", "acc_delta_next",
    )
)

rule = Rule(
    name="adadelta",
    cite="read out of torch.optim:Adadelta",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 10),
        rho: Interval(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={
        square_avg: Integer(0),
        acc_delta: Integer(0),
    },
    step=(
        (d, g + weight_decay * theta),
        (square_avg, rho * square_avg + (1 - rho) * d**2),
        (u, d * sqrt(acc_delta + eps) / sqrt(square_avg + eps)),
        (acc_delta_next, rho * acc_delta + u**2 * (1 - rho)),
        (theta, theta - lr * u),
        (acc_delta, acc_delta_next),
    ),
)
