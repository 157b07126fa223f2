"""RMSprop: read out of torch.optim:RMSprop.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Integer, Interval, sqrt, Symbol

from verifier.rule import Rule

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, alpha, eps, weight_decay, square_avg, d,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "alpha", "eps", "weight_decay", "square_avg", "d",
    )
)

rule = Rule(
    name="rmsprop",
    cite="read out of torch.optim:RMSprop",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        alpha: Interval(0, 10),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={
        square_avg: Integer(0),
    },
    step=(
        (d, g + weight_decay * theta),
        (square_avg, alpha * square_avg + (1 - alpha) * d**2),
        (theta, theta - lr * d / (sqrt(square_avg) + eps)),
    ),
)
