"""MADGRAD: dual averaging from the first parameters on, divided by a cube root, with momentum."""

from sympy import Integer, Interval, Rational, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import d, eps, g, lr, momentum, real, theta, weight_decay

grad_sum_sq, s, x0, lamb, z = real("grad_sum_sq s x0 lamb z")

rule = Rule(
    name="madgrad",
    cite="Defazio & Jelassi 2021, Algorithm 1, arXiv:2101.11075",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        momentum: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={grad_sum_sq: Integer(0), s: Integer(0), x0: theta},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (lamb, (lr + eps) * sqrt(t)),
        (grad_sum_sq, grad_sum_sq + lamb * d**2),
        (s, s + lamb * d),
        (z, x0 - s / (grad_sum_sq ** Rational(1, 3) + eps)),
        (theta, momentum * theta + (1 - momentum) * z),
    ),
    differs="the paper has no weight decay and does not add eps to lr; its authors' code does both",
)
