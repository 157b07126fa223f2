"""SGD with Nesterov momentum: the step looks one momentum update ahead."""

from dataclasses import replace

from sympy import Eq, Interval, Piecewise

from verifier.rules import sgd_momentum
from verifier.rules.sgd_momentum import momentum_buffer
from verifier.rules.symbols import d, lr, momentum, real, t, theta, weight_decay

(ahead,) = real("ahead")

rule = replace(
    sgd_momentum.rule,
    name="sgd_nesterov",
    cite="Sutskever et al. 2013, ICML 28(3), eqs. 3-4; Nesterov 1983, Soviet Math. Dokl. 27(2)",
    hyper={lr: Interval(0, 1), momentum: Interval.Lopen(0, 1), weight_decay: Interval(0, 1)},  # dampening must be 0
    step=(
        sgd_momentum.rule.step[0],  # coupled
        (momentum_buffer, Piecewise((d, Eq(t, 1)), (momentum * momentum_buffer + d, True))),
        (ahead, d + momentum * momentum_buffer),
        (theta, theta - lr * ahead),
    ),
    differs="the paper evaluates the gradient at theta + momentum * velocity; torch keeps the parameters at that point "
    "and so reads the gradient where they are. As for sgd_momentum, lr scales the step and not the velocity",
)
