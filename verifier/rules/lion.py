"""Lion: the sign of an average of gradients, looked at before it is remembered."""

from sympy import Integer, Interval, sign

from verifier.rule import Rule
from verifier.rules.symbols import beta1, beta2, g, lr, real, theta, weight_decay

exp_avg, update = real("exp_avg update")

rule = Rule(
    name="lion",
    cite="Chen et al. 2023, Algorithm 2, arXiv:2302.06675",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0)},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (update, beta1 * exp_avg + (1 - beta1) * g),
        (exp_avg, beta2 * exp_avg + (1 - beta2) * g),
        (theta, theta - lr * sign(update)),
    ),
)
