"""Mistakes with eps, bias corrections and decay rates."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Expr, Integer, Pow, Rational, sqrt

from verifier.edits import Edit, everywhere, hyper, put, swap, with_line
from verifier.rule import Rule, t


def epsilons(rule: Rule) -> Iterator[Edit]:
    """The mistakes that are made with eps."""
    eps = hyper(rule, "eps")
    if eps is None:
        return

    def inside(e: Expr) -> Expr:
        for node in sorted(e.atoms(sympy.Add), key=sympy.count_ops):
            roots = [a for a in node.args if a.has(sqrt) or any(p.exp == Rational(1, 2) for p in a.atoms(Pow))]
            if eps in node.args and roots:
                root = next(p for p in roots[0].atoms(Pow) if p.exp == Rational(1, 2))
                return e.xreplace({node: node.xreplace({root: sqrt(root.base + eps)}) - eps})
        return e

    def outside(e: Expr) -> Expr:
        return e.replace(
            lambda p: isinstance(p, Pow) and abs(p.exp) == Rational(1, 2) and eps in sympy.Add.make_args(p.base),
            lambda p: (sqrt(p.base - eps) + eps) ** sympy.sign(p.exp),
        )

    yield Edit("eps_inside_root", "eps is added inside the root", everywhere(rule, inside))
    yield Edit("eps_outside_root", "eps is added outside the root", everywhere(rule, outside))
    yield Edit("eps_missing", "eps is left out", everywhere(rule, lambda e: e.xreplace({eps: Integer(0)})))
    yield Edit("eps_squared", "eps is squared", everywhere(rule, lambda e: e.xreplace({eps: eps**2})))


def corrections(rule: Rule) -> Iterator[Edit]:
    """The mistakes that are made with bias corrections, and with the step's number."""
    powers = {p for _, e in rule.step for p in sympy.sympify(e).atoms(Pow) if p.exp == t and p.base in rule.hyper}
    for power in sorted(powers, key=str):
        yield Edit(
            f"uncorrected_{power.base}",
            f"the bias correction 1 - {power.base}^t is left out",
            everywhere(rule, put({power: Integer(0)})),
        )
    if len(powers) == 2:
        one, two = sorted(powers, key=str)
        yield Edit(
            "corrections_swapped",
            "each moment is divided by the other's bias correction",
            everywhere(rule, swap(one, two)),
        )
        yield Edit(
            "uncorrected",
            "no bias is corrected",
            everywhere(rule, lambda e: e.xreplace({one: Integer(0), two: Integer(0)})),
        )
    if powers:
        stuck = everywhere(rule, put({power: power.base for power in powers}))
        yield Edit("step_stuck", "every bias correction is that of the first step", stuck)
    if any(t in sympy.sympify(e).free_symbols for _, e in rule.step):
        yield Edit("step_ahead", "the step's number is one ahead", everywhere(rule, lambda e: e.subs(t, t + 1)))
    if any(e.has(t - 1) for _, e in rule.step):
        yield Edit(
            "step_behind", "the step's number is one behind", everywhere(rule, lambda e: e.xreplace({t - 1: t - 2}))
        )


def counts(rule: Rule) -> Iterator[Edit]:
    """The mistakes of counting otherwise in one line, and of looking back the wrong way round."""
    for i, (x, e) in enumerate(rule.step):
        powers = {p: p.base for p in sympy.sympify(e).atoms(Pow) if p.exp == t}
        if powers and t in sympy.sympify(e).xreplace(powers).free_symbols:  # a power alone is ahead of its correction
            says = f"the step's number is one ahead in {x}"
            yield Edit(f"step_ahead_{x}", says, with_line(rule, i, e.subs(t, t + 1)))
    kept = [x for x, e in rule.step if x in rule.state and e == rule.grad]
    for before in kept:
        turned = put({rule.grad - before: before - rule.grad})
        says = f"the gradient is subtracted from {before}, the one before it, and not the other way round"
        yield Edit(f"turned_{before}", says, everywhere(rule, turned))


def betas(rule: Rule) -> Iterator[Edit]:
    """The mistakes that are made with decay rates."""
    for low, high in (("beta1", "beta2"), ("etaminus", "etaplus")):
        a, b = hyper(rule, low), hyper(rule, high)
        if a is not None and b is not None:
            yield Edit(f"{low}_{high}_swapped", f"{low} and {high} are swapped", everywhere(rule, swap(a, b)))
            for used, unread in ((a, b), (b, a)):
                says = f"{used} stands everywhere that {unread} should"
                yield Edit(f"{used}_for_{unread}", says, everywhere(rule, put({unread: used})))
    for i, (target, e) in enumerate(rule.step):
        value = sympy.sympify(e)
        for beta in rule.hyper:
            if target in rule.state and value.has(1 - beta) and beta * target in sympy.Add.make_args(value):
                yield Edit(
                    f"unweighted_{target}",
                    f"1 - {beta} is missing from the average {target}",
                    with_line(rule, i, value.xreplace({1 - beta: Integer(1)})),
                )
                rest = value - beta * target
                for name, says, instead in (
                    ("unfed", f"{target} takes in nothing new", beta * target),
                    ("subtracted", f"what is new is subtracted from {target}", beta * target - rest),
                    ("divided", f"{target} is divided by {beta} where it should be multiplied", target / beta + rest),
                ):
                    yield Edit(f"{name}_{target}", says, with_line(rule, i, instead))
                other = value.xreplace({beta: 1 - beta, 1 - beta: beta})
                yield Edit(
                    f"reversed_{target}", f"{beta} and 1 - {beta} are swapped in {target}", with_line(rule, i, other)
                )
