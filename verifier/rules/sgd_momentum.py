"""SGD with momentum: the gradient step is replaced by a running sum of gradients."""

from sympy import Eq, Integer, Interval, Piecewise

from verifier.rule import Rule
from verifier.rules.symbols import d, dampening, g, lr, momentum, real, t, theta, weight_decay

(momentum_buffer,) = real("momentum_buffer")

rule = Rule(
    name="sgd_momentum",
    cite="Sutskever et al. 2013, ICML 28(3), eqs. 1-2; Polyak 1964, USSR Comput. Math. 4(5)",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        momentum: Interval.Lopen(0, 1),
        dampening: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={momentum_buffer: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (momentum_buffer, Piecewise((d, Eq(t, 1)), (momentum * momentum_buffer + (1 - dampening) * d, True))),
        (theta, theta - lr * momentum_buffer),
    ),
    differs="the paper puts the learning rate inside the velocity, so that the two part once lr changes; torch scales "
    "by lr afterwards, has a dampening the paper has not, and does not dampen the first gradient",
)
