"""Stochastic gradient descent with coupled (L2) weight decay."""

from sympy import Interval

from verifier.rule import Rule
from verifier.rules.symbols import d, g, lr, theta, weight_decay

rule = Rule(
    name="sgd",
    cite="Robbins & Monro 1951, Ann. Math. Statist. 22(3), 400-407; "
    "weight decay: Krogh & Hertz 1991, NeurIPS 4, 950-957",
    theta=theta,
    grad=g,
    hyper={lr: Interval(0, 1), weight_decay: Interval(0, 1)},
    state={},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (theta, theta - lr * d),
    ),
)
