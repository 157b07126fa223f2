"""NAdam: Adam with Nesterov momentum and a warming momentum schedule, with coupled (L2) weight decay."""

from sympy import Integer, Interval, Rational, sqrt

from verifier.rule import Rule
from verifier.rules.symbols import beta1, beta2, d, eps, g, lr, real, t, theta, weight_decay

(momentum_decay,) = real("momentum_decay")
exp_avg, exp_avg_sq, mu_product = real("exp_avg exp_avg_sq mu_product")
mu, mu_next, denom = real("mu mu_next denom")

half, base = Rational(1, 2), Rational("0.96")

rule = Rule(
    name="nadam",
    cite="Dozat 2016, Incorporating Nesterov Momentum into Adam, Algorithm 2, ICLR workshop",
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
    state={exp_avg: Integer(0), exp_avg_sq: Integer(0), mu_product: Integer(1)},
    step=(
        (d, g + weight_decay * theta),  # coupled
        (mu, beta1 * (1 - half * base ** (t * momentum_decay))),
        (mu_next, beta1 * (1 - half * base ** ((t + 1) * momentum_decay))),
        (mu_product, mu_product * mu),
        (exp_avg, beta1 * exp_avg + (1 - beta1) * d),
        (exp_avg_sq, beta2 * exp_avg_sq + (1 - beta2) * d**2),
        (denom, sqrt(exp_avg_sq) / sqrt(1 - beta2**t) + eps),
        (
            theta,
            theta
            - lr * (1 - mu) / (1 - mu_product) * d / denom
            - lr * mu_next / (1 - mu_product * mu_next) * exp_avg / denom,
        ),
    ),
    differs="the paper decays the first moment by the scheduled mu_t and corrects its bias by their product; torch "
    "decays it by the constant beta1 yet corrects by the product. The paper has no weight decay",
)
