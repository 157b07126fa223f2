"""RAdam: Adam that holds its adaptive step back until its variance is tractable, with coupled (L2) weight decay."""

from sympy import Integer, Interval, Piecewise, sqrt

from verifier.rule import Rule
from verifier.rules.symbols import beta1, beta2, d, eps, g, lr, real, t, theta, weight_decay

exp_avg, exp_avg_sq = real("exp_avg exp_avg_sq")
rho_inf, rho, rect, adapted = real("rho_inf rho rect adapted")

rule = Rule(
    name="radam",
    cite="Liu et al. 2020, Algorithm 2, arXiv:1908.03265",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_avg_sq: Integer(0)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * d**2),
        (rho_inf, 2 / (1 - beta2) - 1),
        (rho, rho_inf - 2 * t * beta2**t / (1 - beta2**t)),
        (
            rect,
            Piecewise(
                (sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)), rho > 5),
                (1, True),
            ),
        ),
        (adapted, Piecewise((sqrt(1 - beta2**t) / (sqrt(exp_avg_sq) + eps), rho > 5), (1, True))),
        (theta, theta - lr * exp_avg / (1 - beta1**t) * rect * adapted),
    ),
    differs="the paper rectifies from rho > 4 on and has neither eps nor weight decay; torch rectifies from rho > 5 "
    "on, adds eps to the root of the uncorrected second moment, and coupled weight decay to the gradient",
)
