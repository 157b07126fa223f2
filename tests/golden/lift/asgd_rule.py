"""ASGD: read out of torch.optim:ASGD.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Integer, Interval, Piecewise, Symbol

from verifier.rule import Rule, t

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, lambd, alpha, t0, weight_decay, eta, mu, ax,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "lambd", "alpha", "t0", "weight_decay", "eta", "mu", "ax",
    )
)

rule = Rule(
    name="asgd",
    cite="read out of torch.optim:ASGD",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        lambd: Interval(0, 1),
        alpha: Interval(0, 10),
        t0: Interval(0, 10000000),
        weight_decay: Interval(0, 1),
    },
    state={
        eta: lr,
        mu: Integer(1),
        ax: Integer(0),
    },
    step=(
        (theta, theta * (1 - eta * lambd) - eta * (g + weight_decay * theta)),
        (eta, lr / (1 + lr * lambd * t)**alpha),
        (ax, ax + mu * (theta - ax)),
        (mu, Piecewise((1 / (t - t0), t - t0 > 1), (1, True))),
    ),
)
