"""Rprop: read out of torch.optim:Rprop.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Eq, Integer, Interval, Max, Min, Piecewise, sign, Symbol

from verifier.rule import Rule

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, etaminus, etaplus, step_size_min, step_size_max, prev, step_size,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "etaminus", "etaplus", "step_size_min", "step_size_max", "prev", "step_size",
    )
)

rule = Rule(
    name="rprop",
    cite="read out of torch.optim:Rprop",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        etaminus: Interval.open(0, 1),
        etaplus: Interval.Lopen(1, 11),
        step_size_min: Interval(0, 1),
        step_size_max: Interval(0, 100),
    },
    state={
        prev: Integer(0),
        step_size: lr,
    },
    step=(
        (
            step_size,
            Min(step_size_max, Max(step_size_min, step_size * Piecewise((1, Eq(prev * g, 0)), (etaminus, prev * g < 0), (etaplus, True)))),
        ),
        (prev, Piecewise((0, prev * g < 0), (g, True))),
        (theta, theta - step_size * sign(prev)),
    ),
)
