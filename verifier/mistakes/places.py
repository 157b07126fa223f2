"""Slips of what is computed in place: state that becomes what should have been computed of it, beside it."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Add, Expr, Mul, Symbol

from verifier.edits import Edit
from verifier.printing import to_text
from verifier.rule import Rule, shared


def slips_in_place(rule: Rule) -> Iterator[Edit]:
    """State that a line reads and writes over: `v.sqrt_()` where `v.sqrt()` is meant."""
    for i, (target, e) in enumerate(rule.step):
        for held in rule.state:
            value = sympy.sympify(e)
            if held == target or held in shared(rule) or held not in value.free_symbols:
                continue
            for number, part in enumerate(_parts(value, held, rule.theta)):
                says = f"{held} is overwritten by {to_text(part)}, of which {target} is computed"
                yield Edit(
                    f"in_place_{held}_{target}_{number}", says, (*rule.step[: i + 1], (held, part), *rule.step[i + 1 :])
                )


def _parts(value: Expr, held: Symbol, theta: Symbol) -> Iterator[Expr]:
    """What is computed of a state variable on the way to a value, the innermost first; not the parameter itself."""
    around = [part for part in sympy.postorder_traversal(value) if part != held and held in part.free_symbols]
    seen: set[Expr] = set()
    for part in around:
        if not isinstance(part, Expr) or theta in part.free_symbols:
            continue
        single: list[Expr] = []
        if isinstance(part, Mul | Add) and len(part.args) > 2:  # code computes these one after the other
            inner = next(a for a in part.args if held in a.free_symbols)
            single = [
                part.func(inner, other) for other in part.args if other != inner and held not in other.free_symbols
            ]
        for one in (*single, part):
            if one not in seen and one != -held:
                seen.add(one)
                yield one
