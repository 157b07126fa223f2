"""Slips in numbers that a rule makes of the step's number and its options, and in the weights made of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy
from sympy import Add, Expr, Integer, Pow, Symbol

from verifier.edits import Edit, stepping, with_line, within
from verifier.rule import Rule, shared, t


def slips_of_scalars(rule: Rule) -> Iterator[Edit]:
    """Schedules that count otherwise, and the weights and corrections that a step makes of them."""
    scheduled = list(_scheduled(rule))
    for i in scheduled:
        target, value = rule.step[i][0], sympy.sympify(rule.step[i][1])
        for by, name, words in _counts(rule, value):
            yield Edit(f"{name}_{target}", f"{target} counts {words}", with_line(rule, i, value.subs(t, t + by)))
    if scheduled:
        yield from _of_weights(rule, [rule.step[i][0] for i in scheduled])
        yield from _of_products(rule)


def _counts(rule: Rule, value: Expr) -> Iterator[tuple[int, str, str]]:
    """By how much a line may count otherwise, alone: where it is the only one that counts, all of them do."""
    if value.has(t - 1):
        yield 2, "step_added", "from the step after, not from the one before"
    if sum(t in sympy.sympify(e).free_symbols for _, e in rule.step) > 1:
        yield 1, "step_ahead", "a step too many"
        yield -1, "step_behind", "a step too few"


def _scheduled(rule: Rule) -> Iterator[int]:
    """The lines that make a number of the step's number and options, and none that is a bias correction."""
    for i, (target, e) in enumerate(rule.step):
        value = sympy.sympify(e)
        counted = t in value.free_symbols and value.free_symbols <= {t, *rule.hyper}
        if counted and target not in rule.state and not any(p.exp == t for p in value.atoms(Pow)):
            yield i


def _of_weights(rule: Rule, scheduled: list[Symbol]) -> Iterator[Edit]:
    """Weights of what the step adds up: left out, or one for the other."""
    last = stepping(rule)
    for s in scheduled:
        weight: Expr = 1 - s
        if weight in _factors(rule.step[last][1]):
            says = f"the weight 1 - {s} is left out of the step"
            yield Edit(f"unweighted_{s}_theta", says, within(rule, last, {weight: Integer(1)}))
            says = f"{s} stands in the step where 1 - {s} should"
            yield Edit(f"both_{s}_theta", says, within(rule, last, {weight: s}))


def _of_products(rule: Rule) -> Iterator[Edit]:
    """Corrections by a product that goes from step to step: left out, or one in the place of the other."""
    last = stepping(rule)
    products = {s for s in rule.state if s in shared(rule)}
    sums = {a for a in _factors(rule.step[last][1]) if a.free_symbols & products}
    ordered = sorted(sums, key=str)
    for one in ordered:
        name = "_".join(sorted(map(str, one.free_symbols)))
        says = f"the correction {one} is left out of the step"
        yield Edit(f"uncorrected_{name}", says, within(rule, last, {one: Integer(1)}))
    for one, other in itertools.permutations(ordered, 2):
        name = "_".join(sorted(map(str, one.free_symbols)))
        yield Edit(f"correction_for_{name}", f"{other} corrects what {one} should", within(rule, last, {one: other}))


def _factors(value: Expr) -> set[Add]:
    """The sums without powers that a value is made of."""
    return {a for a in sympy.sympify(value).atoms(Add) if not a.has(Pow)}
