"""Adadelta with coupled (L2) weight decay."""

from sympy import Integer, Interval, sqrt

from verifier.rule import Rule
from verifier.rules.symbols import d, eps, g, lr, real, theta, weight_decay

rho, square_avg, acc_delta, delta = real("rho square_avg acc_delta delta")

rule = Rule(
    name="adadelta",
    cite="Zeiler 2012, Algorithm 1, arXiv:1212.5701",
    theta=theta,
    grad=g,
    hyper={lr: Interval(0, 1), rho: Interval(0, 1), eps: Interval(0, 1), weight_decay: Interval(0, 1)},
    state={square_avg: Integer(0), acc_delta: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (square_avg, rho * square_avg + (1 - rho) * d**2),
        (delta, sqrt(acc_delta + eps) / sqrt(square_avg + eps) * d),
        (acc_delta, rho * acc_delta + (1 - rho) * delta**2),
        (theta, theta - lr * delta),
    ),
    differs="the paper has neither a learning rate nor weight decay; torch scales the applied step, not the "
    "accumulated one, by lr, and adds coupled weight decay to the gradient",
)
