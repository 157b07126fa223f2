"""What weight decay does in a lifted step, computed from its expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from verifier.lift import expr
from verifier.lift.construct import DECAY_NAMES
from verifier.lift.expr import Node
from verifier.lift.same import same

WORDS = {
    "coupled": "coupled: the decay is added to the gradient, and everything computed from the gradient sees it",
    "decoupled": "decoupled: the parameter shrinks by lr * weight_decay of itself, apart from the gradient",
    "fully-decoupled": "fully decoupled: the parameter shrinks by weight_decay of itself, whatever lr is",
    "none": "none: no weight decay acts in this form",
    "other": "other: the decay acts in a way that is none of coupled, decoupled or fully decoupled",
    "unknown": "unknown: the step could not be read as one formula an element",
}
_THETA, _GRAD = expr.sym("theta", (0, 0)), expr.sym("g", (0, 0))
_RATES = ("lr", "learning_rate", "eta", "alpha")


def weight_decay_semantics(new: Mapping[str, Node], hyper: Iterable[str]) -> tuple[str, str]:
    """The hyperparameter that decays, and 'coupled' | 'decoupled' | 'fully-decoupled' | 'none' | 'other'.

    `new` gives theta and every state variable after one step, over the symbols of element (0, 0).
    """
    hyper = list(hyper)
    decay = next((n for n in hyper if n in DECAY_NAMES), None)
    if decay is None:
        return "", "none"
    symbol = expr.sym(decay)
    if symbol not in expr.symbols(*new.values()):
        return decay, "none"
    without = dict(zip(new, expr.rebuild(new.values(), {symbol: expr.ZERO}), strict=True))
    if _coupled(new, without, symbol):
        return decay, "coupled"
    return decay, _shrinks(new, without, symbol, hyper)


def _coupled(new: Mapping[str, Node], without: Mapping[str, Node], decay: Node) -> bool:
    """Whether every result is what it would be with weight_decay 0 and weight_decay * theta in the gradient."""
    for sign in (expr.ONE, expr.MINUS_ONE):  # maximize negates the gradient before the decay is added
        penalised = expr.add(_GRAD, expr.mul(sign, expr.mul(decay, _THETA)))
        moved = expr.rebuild(without.values(), {_GRAD: penalised})
        if all(same(a, b) for a, b in zip(new.values(), moved, strict=True)):
            return True
    return False


def _shrinks(new: Mapping[str, Node], without: Mapping[str, Node], decay: Node, hyper: Iterable[str]) -> str:
    """Whether theta shrinks by lr*weight_decay or weight_decay of itself, before the update, beside it or after it."""
    theta = new["theta"]
    rates = [(decay, "fully-decoupled")]
    rates += [(expr.mul(expr.sym(n), decay), "decoupled") for n in hyper if n in _RATES]
    for rate, kind in reversed(rates):
        factor = expr.sub(expr.ONE, rate)
        shrunk = {_THETA: expr.mul(factor, _THETA)}
        beside = expr.sub(without["theta"], expr.mul(rate, _THETA))
        before = dict(zip(new, expr.rebuild(without.values(), shrunk), strict=True))
        if same(theta, before["theta"]) and (_states(new, without) or _states(new, before)):
            return kind  # asked first: torch's own code gives the very same node
        if same(theta, beside) and _states(new, without):
            return kind
        if same(theta, expr.mul(factor, without["theta"])):  # after the update
            return kind
    return "other"


def _states(new: Mapping[str, Node], other: Mapping[str, Node]) -> bool:
    return all(same(new[n], other[n]) for n in new if n != "theta")
