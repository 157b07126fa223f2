"""RAdam: read out of torch.optim:RAdam.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Integer, Interval, Piecewise, sqrt, Symbol

from verifier.rule import Rule, t

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, beta1, beta2, eps, weight_decay, exp_avg, exp_avg_sq, c, c2, c3, c4, d, u,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "beta1", "beta2", "eps", "weight_decay", "exp_avg", "exp_avg_sq", "c", "c2", "c3", "c4", "d", "u",
    )
)

rule = Rule(
    name="radam",
    cite="read out of torch.optim:RAdam",
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
        (c, 1 - beta2**t),
        (c2, 2 / (1 - beta2)),
        (c3, c2 - 1),
        (c4, c3 - 2 * beta2**t * t / c),
        (d, g + weight_decay * theta),
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (u, lr * exp_avg / (1 - beta1**t)),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * d**2),
        (
            theta,
            Piecewise((theta - sqrt(c) * u * sqrt(c3 * (c4 - 2) * (c4 - 4) / (c4 * (c2 - 3) * (c2 - 5))) / (sqrt(exp_avg_sq) + eps), c4 > 5),
                (theta - u, True)),
        ),
    ),
)
