"""Mistakes in moments, momentum, and the order of lines."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Abs, Eq, Expr, Integer, Max, Min, Piecewise, Pow, Rational, Symbol

from verifier.edits import Edit, Lines, hyper, stepping, with_line
from verifier.rule import Rule, shared, t


def moments(rule: Rule) -> Iterator[Edit]:
    """The mistakes that are made in what a rule remembers."""
    kept = [(s, sympy.sympify(e)) for s, e in rule.state.items() if s not in shared(rule)]
    if len(kept) > 1:
        yield Edit("forgotten_state", "all that is remembered is made anew at every step", (*kept, *rule.step))
    for i, (target, e) in enumerate(rule.step):
        value = sympy.sympify(e)
        if target not in rule.state:
            continue
        if target in value.free_symbols and not isinstance(value, Max):  # which has a name of its own
            yield Edit(
                f"forgotten_{target}",
                f"{target} forgets what it held",
                with_line(rule, i, value.xreplace({target: _nothing(value, target)})),
            )
        elif value.free_symbols - set(rule.hyper):
            first = Piecewise((value, Eq(t, 1)), (target, True))
            yield Edit(f"first_{target}", f"{target} keeps what the first step gave it", with_line(rule, i, first))
        squares = {p: Abs(p.base) for p in value.atoms(Pow) if p.exp == 2}
        if squares:
            yield Edit(
                f"unsquared_{target}",
                f"the square is missing from {target}",
                with_line(rule, i, value.xreplace(squares)),
            )
        if i < stepping(rule):
            moved = (*(line for k, line in enumerate(rule.step) if k != i), rule.step[i])
            yield Edit(f"late_{target}", f"{target} is updated after theta, which reads the old one", moved)
        if isinstance(value, Max) and target in value.args:
            (current,) = (a for a in value.args if a != target)
            yield Edit(
                f"maximum_missing_{target}",
                f"{target} is the current value, not the largest so far",
                with_line(rule, i, current),
            )
            yield Edit(
                f"minimum_{target}",
                f"{target} keeps the smallest value instead of the largest",
                with_line(rule, i, Min(*value.args)),
            )
            yield from _corrected_maximum(rule, i, target, current)


def _nothing(value: Expr, target: Symbol) -> Expr:
    """What to put for a state variable so that it is forgotten: 1 where it is a factor of all, as in products."""
    return Integer(1 if target in sympy.Mul.make_args(value) else 0)


def _corrected_maximum(rule: Rule, line: int, target: Symbol, current: Expr) -> Iterator[Edit]:
    """The maximum taken of bias-corrected values, and divided by no correction after."""
    for i, (x, e) in enumerate(rule.step):
        corrections = [p for p in e.atoms(Pow) if p.exp == Rational(-1, 2) and t in p.free_symbols]
        if target in e.free_symbols and corrections:
            lines = list(with_line(rule, line, Max(target, current / corrections[0].base)))
            lines[i] = (x, e.xreplace({corrections[0]: Integer(1)}))
            yield Edit(f"corrected_{target}", f"{target} is the maximum of bias-corrected values", tuple(lines))


def momenta(rule: Rule) -> Iterator[Edit]:
    """The mistakes that are made with momentum buffers."""
    momentum, dampening = hyper(rule, "momentum"), hyper(rule, "dampening")
    for i, (target, e) in enumerate(rule.step):
        if isinstance(e, Piecewise) and e.args[0][1] == Eq(t, 1):
            kept = target in rule.state  # else what begins at zero is no buffer: a difference from a gradient before
            yield Edit(
                "first_step_as_others" if kept else f"{target.name}_from_zero",
                "the first gradient enters the buffer as later ones do"
                if kept
                else f"{target.name} of the first step is taken from a gradient of zero before it",
                with_line(rule, i, e.args[-1][0]),
            )
            first = e.args[0][0]
            if dampening is not None:
                yield Edit(
                    "dampened_first_step",
                    "the first gradient is dampened",
                    with_line(rule, i, Piecewise(((1 - dampening) * first, Eq(t, 1)), *e.args[1:])),
                )
        if dampening is not None and e.has(1 - dampening):
            yield Edit(
                "undampened", "dampening is left out", with_line(rule, i, e.xreplace({1 - dampening: Integer(1)}))
            )
        if momentum is not None and target in rule.state and e.has(momentum * target):
            buffer = target
            yield Edit(
                "averaged_momentum",
                "the gradient enters the buffer weighted by 1 - momentum",
                _averaged(rule, i, momentum),
            )
            last = stepping(rule)
            value = rule.step[last][1]
            if value.has(buffer):
                ahead = momentum * buffer + _fresh(e, buffer)
                yield Edit(
                    "nesterov_added",
                    "the step looks a momentum update ahead",
                    with_line(rule, last, value.xreplace({buffer: ahead})),
                )
    for i, (target, e) in enumerate(rule.step):
        if momentum is not None and target not in rule.state and target != rule.theta and momentum in e.free_symbols:
            buffer = next((s for s in rule.state if momentum * s in sympy.Add.make_args(e)), None)
            if buffer is not None:
                yield Edit(
                    "nesterov_missing", "the step takes the buffer and does not look ahead", with_line(rule, i, buffer)
                )


def _fresh(value: Expr, buffer: Symbol) -> Expr:
    """What a step adds to the buffer."""
    last = value.args[-1][0] if isinstance(value, Piecewise) else value
    return last.xreplace({buffer: Integer(0)})


def _averaged(rule: Rule, line: int, momentum: Symbol) -> Lines:
    target, value = rule.step[line]
    last = value.args[-1][0] if isinstance(value, Piecewise) else value
    fresh = last.xreplace({target: Integer(0)})
    averaged = momentum * target + (1 - momentum) * fresh
    return with_line(
        rule, line, Piecewise(*value.args[:-1], (averaged, True)) if isinstance(value, Piecewise) else averaged
    )
