"""QHM: plain and momentum gradient steps, averaged."""

from sympy import Integer, Interval

from verifier.rule import Rule
from verifier.rules.symbols import d, g, lr, momentum, real, theta, weight_decay

nu, momentum_buffer, update = real("nu momentum_buffer update")

rule = Rule(
    name="qhm",
    cite="Ma & Yarats 2019, QHM, arXiv:1810.06801",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        momentum: Interval.Ropen(0, 1),
        nu: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={momentum_buffer: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (momentum_buffer, momentum * momentum_buffer + (1 - momentum) * d),
        (update, (1 - nu) * d + nu * momentum_buffer),
        (theta, theta - lr * update),
    ),
    differs="the paper has no weight decay; its authors' code couples it to the gradient",
)
