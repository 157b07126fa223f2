"""AggMo: the average of three momentum steps, each with a momentum of its own."""

from sympy import Integer, Interval

from verifier.rule import Rule
from verifier.rules.symbols import beta1, beta2, d, g, lr, real, theta, weight_decay

(beta3,) = real("beta3")
first, second, third = real("momentum_buffer_0 momentum_buffer_1 momentum_buffer_2")

rule = Rule(
    name="aggmo",
    cite="Lucas et al. 2019, Aggregated Momentum, section 3, arXiv:1804.00325",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        beta3: Interval.Ropen(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={first: Integer(0), second: Integer(0), third: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (first, beta1 * first + d),
        (second, beta2 * second + d),
        (third, beta3 * third + d),
        (theta, theta - lr / 3 * (first + second + third)),
    ),
    differs="the paper averages any number of velocities; three, as here, are its default and that of its authors' "
    "code, which couples weight decay to the gradient",
)
