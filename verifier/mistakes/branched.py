"""Mistakes made in one branch alone, of rules that step otherwise from some step on, as RAdam does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sympy
from sympy import Piecewise, Pow
from sympy.core.relational import Relational

from verifier.edits import Edit, Lines, with_line
from verifier.mistakes.corrections import corrections
from verifier.mistakes.decay import decay_of_coupled, decay_of_decoupled
from verifier.rule import Rule, t

HALVED = ("uncorrected_beta1", "decay_without_lr", "decay_missing", "decay_lr_squared", "decay_twice", "decay_sign")
"""Mistakes that are made in one branch alone, when a step is written twice and one of the two is not kept up."""


def slips_of_branches(rule: Rule) -> Iterator[Edit]:
    """Bias corrections that are left out in one branch, or of one line of several."""
    yield from _left_out(rule)
    yield from _halved(rule, corrections(rule))


def slips_of_branched_decay(rule: Rule) -> Iterator[Edit]:
    """Mistakes of weight decay in one of two branches that the step's number chooses."""
    yield from _halved(rule, (*decay_of_coupled(rule), *decay_of_decoupled(rule)))


def _halved(rule: Rule, edits: Iterable[Edit]) -> Iterator[Edit]:
    guard = _guard(rule)
    if guard is None:
        return
    ordered = _guard_first(rule)
    right = dict(enumerate(rule.step))
    for edit in edits:
        if edit.name not in HALVED or edit.step is None or len(edit.step) != len(rule.step):
            continue
        wrong = {k: e for k, (x, e) in enumerate(edit.step) if (x, e) != right[k]}
        for chosen, name, says in ((guard, "in", f"where {guard}"), (~guard, "out", f"unless {guard}")):
            step = tuple((x, Piecewise((wrong[k], chosen), (e, True)) if k in wrong else e) for k, (x, e) in ordered)
            yield Edit(f"{edit.name}_{name}", f"{edit.says} {says}", step)


def _left_out(rule: Rule) -> Iterator[Edit]:
    """A bias correction that several lines have, left out of one."""
    held = {
        k: {p for p in sympy.sympify(e).atoms(Pow) if p.exp == t and p.base in rule.hyper}
        for k, (_, e) in enumerate(rule.step)
    }
    for k, powers in held.items():
        for power in sorted(powers, key=str):
            if sum(power in others for others in held.values()) > 1:
                target, e = rule.step[k]
                says = f"the bias correction 1 - {power.base}^t is left out of {target}"
                yield Edit(f"uncorrected_{target}", says, with_line(rule, k, sympy.sympify(e).xreplace({1 - power: 1})))


def _guard(rule: Rule) -> Relational | None:
    """What a line of the rule branches on, where that depends on the hyperparameters and the step's number alone."""
    scalars = {rule.step[k][0] for k in _scalars(rule)}
    guards = {r for _, e in rule.step for p in sympy.sympify(e).atoms(Piecewise) for r in p.atoms(Relational)}
    chosen = [
        r for r in sorted(guards, key=str) if r.free_symbols & scalars and r.free_symbols <= scalars | {*rule.hyper}
    ]
    return chosen[0] if len(chosen) == 1 else None


def _scalars(rule: Rule) -> list[int]:
    """The lines that read the hyperparameters, the step's number and each other alone."""
    known, found = {t, *rule.hyper}, []
    for k, (target, e) in enumerate(rule.step):
        if sympy.sympify(e).free_symbols <= known and target not in rule.state and target != rule.theta:
            known.add(target)
            found.append(k)
    return found


def _guard_first(rule: Rule) -> list[tuple[int, tuple[sympy.Symbol, sympy.Expr]]]:
    """The lines with their numbers, those first that what is branched on is made of."""
    early = _scalars(rule)
    lines: Lines = rule.step
    return [(k, lines[k]) for k in (*early, *(k for k in range(len(lines)) if k not in early))]
