"""Adagrad with coupled (L2) weight decay."""

from sympy import Interval, sqrt

from verifier.rule import Rule
from verifier.rules.symbols import d, eps, g, lr, real, t, theta, weight_decay

lr_decay, initial_accumulator_value = real("lr_decay initial_accumulator_value")
total, clr = real("sum clr")

rule = Rule(
    name="adagrad",
    cite="Duchi, Hazan & Singer 2011, JMLR 12, Figure 1 (diagonal)",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        lr_decay: Interval(0, 1),
        weight_decay: Interval(0, 1),
        initial_accumulator_value: Interval(0, 1),
        eps: Interval(0, 1),
    },
    state={total: initial_accumulator_value},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (clr, lr / (1 + (t - 1) * lr_decay)),
        (total, total + d**2),
        (theta, theta - clr * d / (sqrt(total) + eps)),
    ),
    differs="the paper has no learning rate decay, initial accumulator or weight decay; torch adds all three, each "
    "idle at its default",
)
