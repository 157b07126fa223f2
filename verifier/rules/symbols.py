"""The symbols rules are written in, under torch's names for hyperparameters and state."""

from sympy import Symbol

from verifier.rule import t


def real(names: str) -> tuple[Symbol, ...]:
    """Real symbols, one a name."""
    return tuple(Symbol(name, real=True) for name in names.split())


theta, g = real("theta g")
(d,) = real("d")
"""The gradient of the penalised loss, g + weight_decay * theta, where decay is coupled."""
lr, weight_decay, eps = real("lr weight_decay eps")
beta1, beta2, momentum, dampening = real("beta1 beta2 momentum dampening")

__all__ = ["beta1", "beta2", "d", "dampening", "eps", "g", "lr", "momentum", "real", "t", "theta", "weight_decay"]
