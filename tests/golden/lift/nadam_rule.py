"""NAdam: read out of torch.optim:NAdam.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Integer, Interval, Rational, sqrt, Symbol

from verifier.rule import Rule, t

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, beta1, beta2, eps, weight_decay, momentum_decay, mu_product, exp_avg, exp_avg_sq, c, c2, d, denom,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "beta1", "beta2", "eps", "weight_decay", "momentum_decay", "mu_product", "exp_avg", "exp_avg_sq",
        "c", "c2", "d", "denom",
    )
)

rule = Rule(
    name="nadam",
    cite="read out of torch.optim:NAdam",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        beta1: Interval.Ropen(0, 1),
        beta2: Interval.Ropen(0, 1),
        eps: Interval(0, 1),
        weight_decay: Interval(0, 1),
        momentum_decay: Interval(0, 1),
    },
    state={
        mu_product: Integer(1),
        exp_avg: Integer(0),
        exp_avg_sq: Integer(0),
    },
    step=(
        (c, beta1 * (1 - Rational(24, 25)**(momentum_decay * (t + 1)) / 2)),
        (c2, beta1 * (1 - Rational(24, 25)**(momentum_decay * t) / 2)),
        (d, g + weight_decay * theta),
        (mu_product, c2 * mu_product),
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * d**2),
        (denom, sqrt(exp_avg_sq / (1 - beta2**t)) + eps),
        (
            theta,
            theta - lr * c * exp_avg / (denom * (1 - c * mu_product)) - lr * (1 - c2) * d / (denom * (1 - mu_product)),
        ),
    ),
)
