"""Centered RMSprop: the gradient is divided by an estimate of its standard deviation."""

from dataclasses import replace

from sympy import Integer, sqrt

from verifier.rules import rmsprop
from verifier.rules.rmsprop import alpha, denom, square_avg
from verifier.rules.symbols import d, eps, real

(grad_avg,) = real("grad_avg")

rule = replace(
    rmsprop.rule,
    name="rmsprop_centered",
    cite="Graves 2013, eqs. 38-41 without momentum, arXiv:1308.0850",
    state={**rmsprop.rule.state, grad_avg: Integer(0)},
    step=(
        *rmsprop.rule.step[:2],
        (grad_avg, alpha * grad_avg + (1 - alpha) * d),
        (denom, sqrt(square_avg - grad_avg**2) + eps),
        rmsprop.rule.step[3],
    ),
    differs="the paper adds its constant inside the root, where it keeps the radicand positive under rounding; torch "
    "adds eps outside. The paper has no weight decay",
)
