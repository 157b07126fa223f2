"""What weight decay does in a rule, computed from its expressions."""

from __future__ import annotations

import sympy
from sympy import Expr, Symbol

from verifier.lift.construct import DECAY_NAMES
from verifier.normal import Domain, equal
from verifier.rule import Rule, transition

WORDS = {
    "coupled": "coupled: the decay is added to the gradient, and everything computed from the gradient sees it",
    "decoupled": "decoupled: the parameter shrinks by lr * weight_decay of itself, apart from the gradient",
    "fully-decoupled": "fully decoupled: the parameter shrinks by weight_decay of itself, whatever lr is",
    "none": "none: no weight decay acts in this form",
    "other": "other: the decay acts in a way that is none of coupled, decoupled or fully decoupled",
    "unknown": "unknown: the step could not be read as one formula an element",
}


def weight_decay_semantics(rule: Rule, domain: Domain | None = None) -> tuple[str, str]:
    """The symbol that decays, and 'coupled' | 'decoupled' | 'fully-decoupled' | 'none' | 'other'."""
    domain = domain if domain is not None else rule.hyper
    decay = next((s for s in rule.hyper if s.name in DECAY_NAMES), None)
    if decay is None:
        return "", "none"
    after = transition(rule)
    if not any(e.has(decay) for e in after.values()):
        return decay.name, "none"
    if _coupled(rule, after, decay, domain):
        return decay.name, "coupled"
    return decay.name, _shrinks(rule, after, decay, domain)


def _same(a: Expr, b: Expr, domain: Domain) -> bool:
    try:
        return equal(a, b, domain).proved
    except TypeError:
        return bool(sympy.expand(a - b) == 0)


def _coupled(rule: Rule, after: dict[Symbol, Expr], decay: Symbol, domain: Domain) -> bool:
    """Whether every result is what it would be with weight_decay 0 and weight_decay * theta in the gradient."""
    for sign in (1, -1):  # maximize negates the gradient before the decay is added
        penalised = rule.grad + sign * decay * rule.theta
        if all(_same(e, e.subs(decay, 0).xreplace({rule.grad: penalised}), domain) for e in after.values()):
            return True
    return False


def _shrinks(rule: Rule, after: dict[Symbol, Expr], decay: Symbol, domain: Domain) -> str:
    lr = next((s for s in rule.hyper if s.name in ("lr", "learning_rate")), None)
    theta = after[rule.theta]
    without = theta.subs(decay, 0)
    if any(e.has(decay) and s != rule.theta for s, e in after.items()) and not _same_states(rule, after, decay, domain):
        return "other"
    for rate, kind in ((lr * decay if lr is not None else None, "decoupled"), (decay, "fully-decoupled")):
        if rate is None:
            continue
        before = without - rate * rule.theta  # the shrunk parameter is only shifted by the update
        if _same(theta, before, domain) or _same(theta, without.xreplace({rule.theta: rule.theta * (1 - rate)}), domain):
            return kind
        if _same(theta, without * (1 - rate), domain):
            return kind
    return "other"


def _same_states(rule: Rule, after: dict[Symbol, Expr], decay: Symbol, domain: Domain) -> bool:
    """Whether the state forgets the decay but for reading the shrunk parameter."""
    return all(_same(e, e.subs(decay, 0), domain) for s, e in after.items() if s != rule.theta)
