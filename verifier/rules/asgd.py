"""Averaged SGD with coupled (L2) weight decay."""

from sympy import Integer, Interval, Max

from verifier.rule import Rule
from verifier.rules.symbols import d, g, lr, real, t, theta, weight_decay

lambd, alpha, t0 = real("lambd alpha t0")
ax, eta, mu = real("ax eta mu")

rule = Rule(
    name="asgd",
    cite="Polyak & Juditsky 1992, SIAM J. Control Optim. 30(4); eta and mu as in Bottou's ASGD (sgd-2)",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        lambd: Interval(0, 1),
        alpha: Interval(0, 1),
        t0: Interval(0, 1_000_000),
        weight_decay: Interval(0, 1),
    },
    state={ax: Integer(0), eta: lr, mu: Integer(1)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (theta, theta * (1 - lambd * eta) - eta * d),
        (ax, ax + mu * (theta - ax)),
        (eta, lr / (1 + lambd * lr * t) ** alpha),  # of the next step
        (mu, 1 / Max(1, t - t0)),
    ),
    differs="the papers average from the first step on and have no weight decay besides lambd; torch waits t0 steps, "
    "adds coupled weight decay, and computes eta one step ahead, so that a change of lr acts one step late",
)
