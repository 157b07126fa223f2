"""RMSprop with momentum: a running sum of the normalised gradients."""

from dataclasses import replace

from sympy import Integer, Interval

from verifier.rules import rmsprop
from verifier.rules.rmsprop import denom
from verifier.rules.symbols import d, lr, momentum, real, theta

(momentum_buffer,) = real("momentum_buffer")

rule = replace(
    rmsprop.rule,
    name="rmsprop_momentum",
    cite="Tieleman & Hinton 2012, lecture 6.5, slide 29; momentum as in Graves 2013, eqs. 40-41, arXiv:1308.0850",
    hyper={**rmsprop.rule.hyper, momentum: Interval.Lopen(0, 1)},
    state={**rmsprop.rule.state, momentum_buffer: Integer(0)},
    step=(
        *rmsprop.rule.step[:3],
        (momentum_buffer, momentum * momentum_buffer + d / denom),
        (theta, theta - lr * momentum_buffer),
    ),
    differs="Graves puts the learning rate inside the velocity; torch scales by lr afterwards, so that the two part "
    "once lr changes, and adds eps outside the root",
)
