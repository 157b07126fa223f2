"""signSGD: a step of the same size for every element, against the sign of its gradient."""

from sympy import Interval, sign

from verifier.rule import Rule
from verifier.rules.symbols import g, lr, theta, weight_decay

rule = Rule(
    name="signsgd",
    cite="Bernstein et al. 2018, Algorithm 1, arXiv:1802.04434",
    theta=theta,
    grad=g,
    hyper={lr: Interval(0, 1), weight_decay: Interval(0, 1)},
    state={},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (theta, theta - lr * sign(g)),
    ),
    differs="the paper's algorithm has no weight decay; implementations decay as Signum does",
)
