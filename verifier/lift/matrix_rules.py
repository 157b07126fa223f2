"""Rules over whole tensors, as published: the declared side where a step reads norms, means or products of matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from verifier.lift import expr
from verifier.lift.expr import Node

Array = Any  # numpy array of Number


def _operator(build: Callable[[Node, Node], Node], *, swapped: bool = False) -> Callable[[Number, Any], Any]:
    def operator(self: Number, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented  # numpy asks element by element
        one, two = self.node, _node(other)
        return Number(build(two, one) if swapped else build(one, two))

    return operator


class Number:
    """An expression with ordinary operators, so that arrays of them read like the paper."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    __add__ = __radd__ = _operator(expr.add)
    __mul__ = __rmul__ = _operator(expr.mul)
    __sub__, __rsub__ = _operator(expr.sub), _operator(expr.sub, swapped=True)
    __truediv__, __rtruediv__ = _operator(expr.div), _operator(expr.div, swapped=True)
    __pow__, __rpow__ = _operator(expr.power), _operator(expr.power, swapped=True)


def _node(value: Any) -> Node:
    return value.node if isinstance(value, Number) else expr.const(value)


def number(node: Node) -> Number:
    """The expression as a Number."""
    return Number(node)


sqrt = np.frompyfunc(lambda a: Number(expr.sqrt(_node(a))), 1, 1)
larger = np.frompyfunc(lambda a, b: Number(expr.maximum(_node(a), _node(b))), 2, 1)
smaller = np.frompyfunc(lambda a, b: Number(expr.minimum(_node(a), _node(b))), 2, 1)


def norm(x: Array) -> Number:
    """The Euclidean (Frobenius) norm."""
    return sqrt((x * x).sum())  # type: ignore[no-any-return]


def rms(x: Array) -> Number:
    """The root of the mean square."""
    return sqrt((x * x).sum() / x.size)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class MatrixRule:
    """One step over a whole tensor: `step(theta, g, state, hyper, t)` gives theta and every state; states start at 0.

    `state` maps a name to the shape it has beside a parameter of the given shape; `defaults` are hyperparameters with
    the values they have where the code was not read with them as symbols.
    """

    name: str
    cite: str
    state: Mapping[str, Callable[[tuple[int, ...]], tuple[int, ...]]]
    defaults: Mapping[str, Fraction]
    step: Callable[[Array, Array, Mapping[str, Array], Mapping[str, Number], Number], dict[str, Array]]
    dimensions: tuple[int, ...] = (1, 2)


def _as_the_parameter(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape


_EPSILON = Fraction(1, 2**52)  # eps1 where none is given: that of the dtype, double in a lift


def _adafactor(theta: Array, g: Array, state: Any, h: Any, t: Number) -> dict[str, Array]:
    fresh = t ** h["beta2_decay"]  # 1 - beta2_t
    rate = larger(h["eps2"], rms(theta)) * smaller(h["lr"], 1 / sqrt(t))
    theta = theta * (1 - h["lr"] * h["weight_decay"])
    if theta.ndim == 1:
        kept = {"variance": (1 - fresh) * state["variance"] + fresh * g * g}
        estimate = kept["variance"]
    else:
        rows, columns = ((g * g).sum(axis=k, keepdims=True) / g.shape[k] for k in (1, 0))
        kept = {"row_var": (1 - fresh) * state["row_var"] + fresh * rows,
                "col_var": (1 - fresh) * state["col_var"] + fresh * columns}  # fmt: skip
        mean = kept["row_var"].sum() / g.shape[0]
        estimate = kept["row_var"] @ kept["col_var"] / larger(mean, h["eps1"])
    update = g / sqrt(larger(estimate, h["eps1"] * h["eps1"]))
    return {"theta": theta - rate * update / larger(1, rms(update) / h["d"]), **kept}


def _muon(theta: Array, g: Array, state: Any, h: Any, t: Number) -> dict[str, Array]:
    buffer = h["momentum"] * state["momentum_buffer"] + (1 - h["momentum"]) * g
    update = (1 - h["momentum"]) * g + h["momentum"] * buffer  # Nesterov
    x = update.T if update.shape[0] > update.shape[1] else update
    x = x / larger(norm(x), h["eps"])
    for _ in range(5):
        gram = x @ x.T
        x = h["ns_coefficient1"] * x + (h["ns_coefficient2"] * gram + h["ns_coefficient3"] * (gram @ gram)) @ x
    x = x.T if update.shape[0] > update.shape[1] else x
    rate = h["lr"] * sqrt(number(expr.const(max(Fraction(1), Fraction(*theta.shape)))))
    return {"theta": theta * (1 - h["lr"] * h["weight_decay"]) - rate * x, "momentum_buffer": buffer}


def _lamb(theta: Array, g: Array, state: Any, h: Any, t: Number) -> dict[str, Array]:
    m = h["beta1"] * state["exp_avg"] + (1 - h["beta1"]) * g
    v = h["beta2"] * state["exp_avg_sq"] + (1 - h["beta2"]) * g * g
    update = (m / (1 - h["beta1"] ** t)) / (sqrt(v / (1 - h["beta2"] ** t)) + h["eps"]) + h["weight_decay"] * theta
    return {"theta": theta - h["lr"] * norm(theta) / norm(update) * update, "exp_avg": m, "exp_avg_sq": v}


def _lars(theta: Array, g: Array, state: Any, h: Any, t: Number) -> dict[str, Array]:
    decay, size = h["weight_decay"], norm(theta)
    local = h["trust_coefficient"] * size / (norm(g) + decay * size)
    velocity = h["momentum"] * state["momentum_buffer"] + h["lr"] * local * (g + decay * theta)
    return {"theta": theta - velocity, "momentum_buffer": velocity}


def _column(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], 1)


def _row(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, shape[1])


_ADAFACTOR = "Shazeer and Stern 2018, Algorithms 4 and 5, arXiv:1804.04235, as torch.optim.Adafactor documents it"
_ADAFACTOR_DEFAULTS = {"eps1": _EPSILON, "eps2": Fraction(1, 1000), "weight_decay": Fraction(0)}
RULES = (
    MatrixRule("adafactor", _ADAFACTOR, {"variance": _as_the_parameter}, _ADAFACTOR_DEFAULTS, _adafactor, (1,)),
    MatrixRule("adafactor", _ADAFACTOR, {"row_var": _column, "col_var": _row}, _ADAFACTOR_DEFAULTS, _adafactor, (2,)),
    MatrixRule("muon", "Jordan et al. 2024, kellerjordan.github.io/posts/muon, as torch.optim.Muon documents it",
               {"momentum_buffer": _as_the_parameter}, {}, _muon, (2,)),
    MatrixRule("lamb", "You et al. 2020, Algorithm 2, arXiv:1904.00962",
               {"exp_avg": _as_the_parameter, "exp_avg_sq": _as_the_parameter}, {}, _lamb),
    MatrixRule("lars", "You et al. 2017, Algorithm 1, arXiv:1708.03888",
               {"momentum_buffer": _as_the_parameter}, {}, _lars),
)  # fmt: skip
"""What a lift that reads whole tensors is compared with."""
