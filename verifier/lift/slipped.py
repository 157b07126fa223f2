"""Code named after a rule of the catalogue that is the rule with a slip in one place, when nothing else explains it."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

import sympy

from verifier.conventions import ASPECTS
from verifier.edits import coupling
from verifier.lift.lifted import Lift
from verifier.lift.relatives import Candidate, Relative, agrees, checked, edited, fits_of, points_of
from verifier.lift.trajectory import Lines
from verifier.mistakes.anywhere import Slip, numbers_anywhere, slips_anywhere
from verifier.mutants import made
from verifier.rule import Rule

RULES = 3
"""Rules of one name, such as those of RMSprop, that are tried: those most like the code first."""

MANY = 4
"""Hyperparameters that make it likely which rule code means whose class has no name, as Adam's lr, betas and eps do."""

NUMBERS = 3
"""Numbers of the code that may stand where the rule has others; code that has more of them is another formula."""

COUNTS = 4
"""Numbers of the code of which one may stand where the rule counts steps."""

MOVED = ("decoupled_decay", "coupled_decay")
"""Conventions that make one rule of a name another of that name, which is tried by itself."""

DECAYS: Mapping[str, bool] = {"coupled": True, "decoupled": False}
"""Whether the gradient is decayed, by what is said of the code's decay."""


_NEUTRAL = """
my our own custom simple plain basic vanilla naive manual minimal reference ref torch pytorch optimizer optim opt impl
implementation foreach forloop fused functional compiled capturable single multi tensor test toy demo new old copy from
scratch with class wrong bad buggy broken faulty right good correct fixed v a an the
"""
NEUTRAL = frozenset(_NEUTRAL.split())
"""Words in the name of a class that make no other rule of it."""

WRITTEN_OUT = {
    "rectifiedadam": "radam",
    "nesterovadam": "nadam",
    "momentumsgd": "sgd",
    "sgdmomentum": "sgd",
    "sgdm": "sgd",
}
"""Other names of rules, in use as much as theirs."""


def slipped(lifted: Lift, rules: Iterable[Rule]) -> Relative | None:
    """The rule that the code is named after, with the one slip that makes it what the code does; None if there is none.

    The rules are those of the catalogue, the most alike first. What somebody does on purpose is no slip, and a class
    of another name may mean what it does, however near it comes; one of no name, as Opt7, has the options of the rule.
    """
    tried = 0
    bare = _bare(lifted.target)
    for rule in _meant(lifted.target, rules) if bare else rules:
        if lifted.weight_decay in DECAYS and (coupling(rule) is not None) != DECAYS[lifted.weight_decay]:
            continue
        for own, given in fits_of(lifted, rule):
            if not bare and not _all_of(given, rule):
                continue
            tried += 1
            if tried > RULES:
                return None
            found = _of(given, own, far=bare in ("", _word(rule)))
            if found is not None:
                return found
    return None


def _meant(target: str, rules: Iterable[Rule]) -> list[Rule]:
    """The rules that a class is named after: those of the longest name that its own has in it.

    Names that others of the catalogue are made of, such as Adam, are the start of many more: there the whole name is
    asked for, but for words that say nothing of the rule.
    """
    own, bare = _name(target).lower().replace("_", ""), _bare(target)
    rules = list(rules)
    known = {_word(rule) for rule in rules}
    common = {word for word in known if any(word in other for other in known if other != word)}
    found = [word for word in known if word in (own, bare) or (word in own and word not in common)]
    longest = max(map(len, found), default=0)
    return [rule for rule in rules if _word(rule) in found and len(_word(rule)) == longest]


def _name(target: str) -> str:
    return target.rpartition(":")[2].rpartition(".")[2]


def _bare(target: str) -> str:
    """The name of a class without the words that say nothing of its rule; empty where it has no others."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", _name(target))
    bare = "".join(word.lower() for word in words if word.lower() not in NEUTRAL)
    return WRITTEN_OUT.get(bare, bare)


def _all_of(given: Lift, rule: Rule) -> bool:
    """Whether code has the hyperparameters of a rule and no others, and those are many: few are those of many rules."""
    assert given.rule is not None
    names = {s.name for s in rule.hyper}
    return len(names) >= MANY and names == {s.name for s in given.rule.hyper}


def _word(rule: Rule) -> str:
    return rule.name.partition("_")[0]


def _of(lifted: Lift, rule: Rule, *, far: bool) -> Relative | None:
    points = list(points_of(lifted, rule, ()))
    if not points:
        return None
    plain = Candidate(rule)
    written = [c for aspect in ASPECTS for c in edited(lifted, [plain], aspect, slips=False)]
    written = [c for c in written if c.conventions[0].name not in MOVED]  # another rule of the name has these
    known = Lines()
    for form in (plain, *written):
        for slip in _slips(lifted, form.rule, far=far):
            if not agrees(_with(form.rule, slip), points, known):
                continue
            if any(agrees(one.rule, points, known) for one in _on_purpose(lifted, plain)):
                return None
            wrong = made(form.rule, edit := slip.edit)
            proof = checked(lifted, Candidate(form.rule, form.conventions, edit, wrong))
            if proof is not None:
                return Relative(rule.name, form.rule, form.conventions, wrong, proof)
    return None


def _with(rule: Rule, slip: Slip) -> Rule:
    """The rule with the lines of a slip, in numbers alone: whether that is a rule is not asked of thousands of them."""
    changed = copy.copy(rule)
    object.__setattr__(changed, "step", slip.step)
    return changed


def _slips(lifted: Lift, rule: Rule, *, far: bool) -> Iterator[Slip]:
    assert lifted.rule is not None
    mine, theirs = (
        {n for _, e in one.step for n in sympy.sympify(e).atoms(sympy.Rational) if abs(n) not in (0, 1)}
        for one in (lifted.rule, rule)
    )
    yield from slips_anywhere(rule, far=far)
    own = mine - theirs if len(mine - theirs) <= NUMBERS else set()
    counts = {n for n in mine if n.is_integer and n > 0} if len(mine) <= COUNTS else own
    yield from numbers_anywhere(rule, sorted(own, key=str), sorted(counts, key=str))


def _on_purpose(lifted: Lift, plain: Candidate) -> Iterator[Candidate]:
    """The rule as two conventions write it, at most."""
    for aspect, other in itertools.product(ASPECTS, repeat=2):
        once = list(edited(lifted, [plain], aspect, slips=False))
        yield from (*once, *edited(lifted, once, other, slips=False))
