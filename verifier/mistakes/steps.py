"""Mistakes in the step itself, in branches and in clamps."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Abs, Expr, Integer, Max, Min, Number, Piecewise, Pow, Rational
from sympy.core.relational import Relational

from verifier.edits import Edit, everywhere, hyper, put, stepping, with_line
from verifier.rule import Rule, shared


def steps(rule: Rule) -> Iterator[Edit]:
    """The mistakes in the step itself."""
    last, lr = stepping(rule), hyper(rule, "lr")
    _, value = rule.step[last]
    yield Edit("ascends", "the step has the wrong sign", with_line(rule, last, 2 * rule.theta - value))
    relative = rule.theta + (value - rule.theta) * Abs(rule.theta)
    yield Edit("relative_step", "the step is scaled by the size of the weight", with_line(rule, last, relative))
    if lr is not None and lr in value.free_symbols:
        yield Edit("lr_missing", "lr is left out of the step", with_line(rule, last, value.xreplace({lr: Integer(1)})))
        yield Edit("lr_squared", "the step is scaled by lr twice", with_line(rule, last, value.xreplace({lr: lr**2})))
    for i, (target, e) in enumerate(rule.step):
        roots = {p: p.base if p.exp > 0 else 1 / p.base for p in e.atoms(Pow) if abs(p.exp) == Rational(1, 2)}
        for root in sorted(roots, key=str):
            if root.base.free_symbols & set(rule.state):
                yield Edit(
                    f"root_missing_{target}",
                    f"the root is missing from {target}",
                    with_line(rule, i, e.xreplace({root: roots[root]})),
                )
        if len(roots) > 1:
            says = f"every root is missing from {target}, that of its correction too"
            yield Edit(f"roots_missing_{target}", says, with_line(rule, i, e.xreplace(roots)))
    for s, initial in rule.state.items():
        if initial == 0 and s not in shared(rule):
            ones = {x: Integer(1) if x == s else e for x, e in rule.state.items()}
            yield Edit(f"one_initial_{s}", f"{s} starts at one", None, ones)
        if sympy.sympify(initial) != 0:
            zeroed = {x: Integer(0) if x == s else e for x, e in rule.state.items()}
            yield Edit(f"zero_initial_{s}", f"{s} starts at zero instead of {initial}", None, zeroed)


def branches(rule: Rule) -> Iterator[Edit]:
    """The mistakes in branches and clamps."""
    for i, (target, e) in enumerate(rule.step):
        for piecewise in sorted(e.atoms(Piecewise), key=str):
            for _, guard in piecewise.args[:-1]:
                yield Edit(
                    f"{target}_unbranched",
                    f"{target} ignores the branch on {guard}",
                    with_line(rule, i, e.xreplace({piecewise: piecewise.args[-1][0]})),
                )
                if isinstance(guard, Relational) and isinstance(guard.rhs, Number) and guard.rhs > 1:
                    yield Edit(
                        "threshold_low",
                        f"the threshold {guard.rhs} is {guard.rhs - 1}",
                        everywhere(rule, put({guard: guard.func(guard.lhs, guard.rhs - 1)})),
                    )
        for clamp in sorted(e.atoms(Max, Min), key=str):
            if target in rule.state and target in clamp.args:
                continue
            for arg in clamp.args:
                rest = [a for a in clamp.args if a != arg]
                if arg.is_Symbol or arg.is_Number:
                    yield Edit(
                        f"{target}_past_{_word(arg)}",
                        f"{target} is not held at {arg}",
                        with_line(rule, i, e.xreplace({clamp: rest[0]})),
                    )


def _word(bound: Expr) -> str:
    return str(bound).replace("-", "minus_")
