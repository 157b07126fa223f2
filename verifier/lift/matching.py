"""Which rule of the catalogue lifted code follows, and which is nearest where it follows none."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable
from functools import cache

import sympy

from verifier import rules
from verifier.lift.induction import LiftProof, prove
from verifier.lift.lifted import Lift
from verifier.lift.trajectory import part
from verifier.rule import Rule, maximized, t, transition


def mutants_of(rule: Rule) -> Iterable[Rule]:
    """The known mistakes of a rule, where the catalogue of mistakes is installed."""
    if importlib.util.find_spec("verifier.mutants") is None:
        return ()
    from verifier import mutants

    return tuple(mutants.mutants(rule))


def match(lifted: Lift) -> LiftProof | None:
    """The proof that the code follows a rule of the catalogue; None where it follows none."""
    if lifted.rule is None:
        return None
    for rule in candidates(lifted):
        if part(lifted.rule, rule, lifted.literal) is None:
            found = prove(lifted, rule)
            if found.proved:
                return found
    return None


def nearest(lifted: Lift, *, tell: bool = True) -> LiftProof | None:
    """The proof of the rule it follows, or the refutation by the rule that shares most with it; `tell` as `prove`."""
    found = match(lifted)
    return found if found is not None else likest(lifted, tell=tell)


def likest(lifted: Lift, *, tell: bool = True) -> LiftProof | None:
    """The refutation by the rule that shares most with code that follows none; `tell` as `prove`."""
    if lifted.rule is None:
        return None
    return prove(lifted, max(candidates(lifted), key=lambda rule: _in_both(lifted.rule, rule)), tell=tell)


def candidates(lifted: Lift) -> list[Rule]:
    """The catalogue's rules, those most like the lifted one first; climbing ones where the code was told to climb."""
    assert lifted.rule is not None
    catalogue = [rules.get(name) for name in (*rules.names(), *rules.published())]
    if lifted.fixed.get("maximize"):
        catalogue = [maximized(r) for r in catalogue]
    return sorted(catalogue, key=lambda r: -_likeness(lifted, r))


def _in_both(code: Rule | None, rule: Rule) -> float:
    """The share of the parts of two steps that are in both: sums, products, powers and functions.

    What a state or a rate is called does not count; each class has names of its own.
    """
    mine, theirs = _parts(code), _parts(rule)
    return len(mine & theirs) / max(1, len(mine | theirs))


@cache
def _parts(rule: Rule | None) -> frozenset[sympy.Basic]:
    if rule is None:
        return frozenset()
    nameless = dict.fromkeys(rule.state, sympy.Symbol("state"))
    nameless |= {h: sympy.Symbol("rate") for h in rule.hyper if h.name not in ("lr", "weight_decay", "eps")}
    lines = [sympy.sympify(line).xreplace(nameless) for line in transition(rule).values()]
    return frozenset(part for line in lines for part in sympy.preorder_traversal(line) if part.args)


def _likeness(lifted: Lift, rule: Rule) -> float:
    """How much two rules share: state and hyperparameters by name, expressions that are equal, the name itself."""
    code = lifted.rule
    assert code is not None
    mine, theirs = {s.name for s in code.state}, {s.name for s in rule.state}
    score = 2.0 * len(mine & theirs) - len(mine ^ theirs)
    mine, theirs = {s.name for s in code.hyper}, {s.name for s in rule.hyper}
    score += len(mine & theirs) - 0.5 * len(mine ^ theirs)
    ours = {s.name: e for s, e in transition(code).items()}
    score += sum(3.0 for s, e in transition(rule).items() if ours.get(s.name) == e)
    score -= 2.0 * len(_functions(code) ^ _functions(rule))
    return score + difflib.SequenceMatcher(None, code.name, rule.name).ratio()


@cache
def _functions(rule: Rule) -> frozenset[tuple[type, ...]]:
    """Branches, extremes and signs, which make a rule another one; a first step that is taken apart is none.

    The smaller of two is one with the larger: one may stand in the place of the other by mistake.
    """
    lines = [sympy.sympify(e).xreplace({sympy.Eq(t, 1): sympy.false}) for _, e in rule.step]
    kinds = ((sympy.Piecewise,), (sympy.Max, sympy.Min), (sympy.sign,))
    return frozenset(kind for kind in kinds if any(e.has(*kind) for e in lines))
