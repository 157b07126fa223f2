"""Signum: the sign of a running average of gradients."""

from sympy import Integer, Interval, sign

from verifier.rule import Rule
from verifier.rules.symbols import g, lr, momentum, real, theta, weight_decay

(momentum_buffer,) = real("momentum_buffer")

rule = Rule(
    name="signum",
    cite="Bernstein et al. 2018, Algorithm 2, arXiv:1802.04434",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        momentum: Interval.Ropen(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={momentum_buffer: Integer(0)},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (momentum_buffer, momentum * momentum_buffer + (1 - momentum) * g),
        (theta, theta - lr * sign(momentum_buffer)),
    ),
)
