"""SGD: read out of torch.optim:SGD.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import Interval, Symbol

from verifier.rule import Rule

theta, g = (Symbol(n, real=True) for n in ("theta", "g"))
(
    lr, weight_decay,
) = (
    Symbol(n, real=True)
    for n in (
        "lr", "weight_decay",
    )
)

rule = Rule(
    name="sgd",
    cite="read out of torch.optim:SGD",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        weight_decay: Interval(0, 1),
    },
    state={},
    step=(
        (theta, theta - lr * (g + weight_decay * theta)),
    ),
)
