"""Slips of rules that keep several buffers of one kind, or hold their rate at a bound."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Expr, Max, Min, Symbol

from verifier.edits import Edit, stepping, with_line, within
from verifier.rule import Rule, shared


def slips_of_bounds(rule: Rule) -> Iterator[Edit]:
    """The larger of two values that differ from element to element, where the smaller should be, or the other way."""
    for i, (target, e) in enumerate(rule.step):
        if target in rule.state:
            continue
        for bound in sorted(sympy.sympify(e).atoms(Max, Min), key=str):
            if any(a.free_symbols <= shared(rule) for a in bound.args):
                continue
            other, words = (Min, ("smaller", "larger")) if isinstance(bound, Max) else (Max, ("larger", "smaller"))
            says = f"the {words[0]} of {' and '.join(sorted(map(str, bound.args)))} is taken, not the {words[1]}"
            value = sympy.sympify(e).xreplace({bound: other(*bound.args)})
            yield Edit(f"{words[0]}_for_{words[1]}_{target}", says, with_line(rule, i, value))


def slips_of_loops(rule: Rule) -> Iterator[Edit]:
    """The same slip in every buffer, as code makes it that goes through them in a loop, and in what is made of them."""
    kept = {i: found for i in range(len(rule.step)) if (found := _kept(rule, i)) is not None}
    rates = {rate: None for rate, _ in kept.values()}
    if len(kept) < 2 or len(rates) != len(kept):
        return
    buffers = ", ".join(rule.step[i][0].name for i in kept)
    forms = {
        "averaged_buffers": (f"what is new enters {buffers} weighted by one minus their rates", _averaged),
        "reversed_buffers": (f"{buffers} keep one minus their rates of what they held", _reversed),
        "unforgotten_buffers": (f"{buffers} forget nothing", _unforgotten),
    }
    for name, (says, change) in forms.items():
        lines = {i: change(rate, rule.step[i][0], fresh) for i, (rate, fresh) in kept.items()}
        yield Edit(name, says, tuple((x, lines.get(i, e)) for i, (x, e) in enumerate(rule.step)))
    for one in rates:
        lines = {i: one * rule.step[i][0] + fresh for i, (_, fresh) in kept.items()}
        yield Edit(
            f"{one}_for_all", f"{one} is the rate of {buffers}", tuple(
                (x, lines.get(i, e)) for i, (x, e) in enumerate(rule.step)
            )
        )  # fmt: skip
    yield from _of_step(rule, [rule.step[i][0] for i in kept])


def _of_step(rule: Rule, buffers: list[Symbol]) -> Iterator[Edit]:
    """A buffer that the step leaves out, and a sum that should be an average."""
    last = stepping(rule)
    value = sympy.sympify(rule.step[last][1])
    for one in buffers:
        left = value.xreplace({one: sympy.Integer(0)})
        yield Edit(f"without_{one}", f"the step leaves {one} out", with_line(rule, last, left))
    count = len(buffers)
    move = value - rule.theta
    for name, says, factor in (
        ("summed_buffers", f"the step is not divided by {count}, the number of buffers", count),
        ("multiplied_buffers", f"the step is multiplied by {count}, the number of buffers, not divided", count**2),
    ):
        yield Edit(name, says, with_line(rule, last, rule.theta + factor * move))


def _kept(rule: Rule, line: int) -> tuple[Symbol, Expr] | None:
    """The rate and what is new, of a line that keeps a share of a buffer and adds what is new as it is."""
    target, value = rule.step[line][0], sympy.sympify(rule.step[line][1])
    if target not in rule.state or not isinstance(value, sympy.Add):
        return None
    rate = next((h for h in rule.hyper if h * target in value.args), None)
    fresh = value - rate * target if rate is not None else None
    return None if rate is None or fresh is None or rate in fresh.free_symbols else (rate, fresh)


def _averaged(rate: Symbol, buffer: Symbol, fresh: Expr) -> Expr:
    return rate * buffer + (1 - rate) * fresh


def _reversed(rate: Symbol, buffer: Symbol, fresh: Expr) -> Expr:
    return (1 - rate) * buffer + fresh


def _unforgotten(rate: Symbol, buffer: Symbol, fresh: Expr) -> Expr:
    return buffer + fresh


def slips_of_differences(rule: Rule) -> Iterator[Edit]:
    """Slips around an exponential of how far two gradients are apart, and gradients that are not kept for the next."""
    for i, (target, e) in enumerate(rule.step):
        value = sympy.sympify(e)
        if target in rule.state and value in (rule.grad, *(x for x, _ in rule.step[:i])) and rule.state[target] == 0:
            still = with_line(rule, i, sympy.Integer(0))
            yield Edit(f"unkept_{target}", f"{target} is never written, and stays zero", still)
        turned = {x: sympy.exp(-x.args[0]) for x in value.atoms(sympy.exp)}
        if not turned:
            continue
        yield Edit(f"exp_sign_{target}", f"the exponent of {target} has the wrong sign", within(rule, i, turned))
        for size in sorted(value.atoms(sympy.Abs), key=str):
            inside = size.args[0]
            yield Edit(
                f"squared_{target}", f"the difference in {target} is squared", within(rule, i, {size: inside**2})
            )
            if isinstance(inside, sympy.Add) and len(inside.args) == 2:
                one, two = inside.args
                says = f"the sum stands in {target} where the difference should"
                yield Edit(f"sum_in_{target}", says, within(rule, i, {size: sympy.Abs(one - two)}))
        says = f"the step is divided by {target} where it should be multiplied"
        yield Edit(f"divided_by_{target}", says, within(rule, stepping(rule), {target: 1 / target}))
        without = within(rule, stepping(rule), {target: sympy.Integer(1)})
        yield Edit(f"without_{target}", f"{target} is missing from the step", without)
