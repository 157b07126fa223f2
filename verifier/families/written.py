"""How a law is written down: its formula, its conditions, and the source of its test."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable

import sympy
from sympy import Expr, Symbol

from verifier.evidence import Strength
from verifier.law import Decided, FollowUp, Goal, Law, domain_of, shown
from verifier.printing import to_python, to_text
from verifier.rule import Rule

WIDTH = 110


def law(
    rule: Rule,
    name: str,
    says: str,
    formula: sympy.Basic,
    because: str,
    goals: Callable[[Rule], Iterable[Goal | Decided]],
    *,
    cases: str = "",
    body: Iterable[str] = (),
    where: Iterable[sympy.Basic] = (),
    also: Iterable[str] = (),
    strength: Strength = Strength.ENCLOSED,
) -> Law:
    """A law of `rule`; without a body it is algebra alone. `also` are conditions said in words."""
    lines = tuple(body)
    return Law(
        name=name,
        rule=rule.name,
        says=says,
        claim=to_text(formula),
        follow_up=FollowUp(cases, lines) if lines else None,
        where=(*shown(where, domain_of(rule)), *also),
        because=because,
        strength=strength,
        formula=formula,
        of=rule,
        goals=goals,
    )


def reads(rule: Rule, *values: Expr, but: Iterable[Symbol] = ()) -> list[str]:
    """The lines that read from a case the exact values which some expressions mention, `but` a few."""
    used = {s.name for value in values for s in value.free_symbols} - {s.name for s in but}
    order = [rule.theta.name, *(s.name for s in rule.hyper)]
    names = [n for n in order if n in used] + sorted(used - set(order) - {"n"})
    if not names:
        return []
    target = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
    line = f'{target} = check.exact(subject, case, "{" ".join(names)}")'
    if len(line) <= WIDTH:
        return [line]
    return [f'names = "{" ".join(names)}"', f"{target} = check.exact(subject, case, names)"]


def call(function: str, *args: str) -> list[str]:
    """A call of a check on the subject and the case, one line or wrapped."""
    line = f"check.{function}({', '.join(('subject', 'case', *args))})"
    if len(line) <= WIDTH:
        return [line]
    return [f"check.{function}(", *(f"    {arg}," for arg in ("subject", "case", *args)), ")"]


def source(value: Expr) -> str:
    """An expression as source of a test's body."""
    return to_python(value, "check")


def assigned(name: str, value: Expr) -> list[str]:
    """name = value as source, wrapped at its terms where it is long."""
    text = source(value)
    if len(name) + 3 + len(text) <= WIDTH:
        return [f"{name} = {text}"]
    broken = textwrap.wrap(text, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return [f"{name} = (", *(f"    {line}" for line in broken), ")"]


def equation(left: Expr, right: Expr) -> sympy.Basic:
    """left = right, kept as written."""
    return sympy.Eq(left, right, evaluate=False)


def implies(condition: sympy.Basic, conclusion: sympy.Basic) -> sympy.Basic:
    """condition => conclusion, kept as written."""
    return sympy.Implies(condition, conclusion, evaluate=False)


def named(name: str) -> Symbol:
    """A real symbol that only names something in a formula, such as theta_1."""
    return Symbol(name, real=True)
