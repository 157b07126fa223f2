"""RMSprop with coupled (L2) weight decay."""

from sympy import Integer, Interval, sqrt

from verifier.rule import Rule
from verifier.rules.symbols import d, eps, g, lr, real, theta, weight_decay

alpha, square_avg, denom = real("alpha square_avg denom")

rule = Rule(
    name="rmsprop",
    cite="Tieleman & Hinton 2012, COURSERA: Neural Networks for Machine Learning, lecture 6.5, slide 29",
    theta=theta,
    grad=g,
    hyper={lr: Interval(0, 1), alpha: Interval.Ropen(0, 1), eps: Interval(0, 1), weight_decay: Interval(0, 1)},
    state={square_avg: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (square_avg, alpha * square_avg + (1 - alpha) * d**2),
        (denom, sqrt(square_avg) + eps),
        (theta, theta - lr * d / denom),
    ),
    differs="the slide fixes alpha at 0.9 and has neither eps nor weight decay; torch adds eps outside the root and "
    "coupled weight decay to the gradient",
)
