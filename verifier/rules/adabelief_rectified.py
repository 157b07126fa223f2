"""AdaBelief with RAdam's rectification: its adaptive step is held back until its variance is tractable."""

from sympy import Integer, Interval, Piecewise, sqrt

from verifier.rule import Rule, t
from verifier.rules.symbols import beta1, beta2, eps, g, lr, real, theta, weight_decay

exp_avg, exp_avg_var, denom = real("exp_avg exp_avg_var denom")
rho_inf, rho, rect, adapted = real("rho_inf rho rect adapted")

rule = Rule(
    name="adabelief_rectified",
    cite="Zhuang et al. 2020, Algorithm 2, arXiv:2010.07468; rectified: Liu et al. 2020, Algorithm 2, arXiv:1908.03265",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={exp_avg: Integer(0), exp_avg_var: Integer(0)},
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        (exp_avg, beta1 * exp_avg + (1 - beta1) * g),
        (exp_avg_var, beta2 * exp_avg_var + (1 - beta2) * (g - exp_avg) ** 2),
        (rho_inf, 2 / (1 - beta2) - 1),
        (rho, rho_inf - 2 * t * beta2**t / (1 - beta2**t)),
        (
            rect,
            Piecewise(
                (sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)), rho > 5),
                (1, True),
            ),
        ),
        (denom, sqrt(exp_avg_var) + eps),
        (adapted, Piecewise((sqrt(1 - beta2**t) / denom, rho > 5), (1, True))),
        (theta, theta - lr * exp_avg / (1 - beta1**t) * rect * adapted),
    ),
    differs="the paper does not rectify; its authors' code does by default, from rho >= 5 on, adds eps to exp_avg_var "
    "on every step and to its root, and decays as AdamW does",
)
