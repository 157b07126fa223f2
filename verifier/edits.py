"""Edits of a rule's lines, and the shapes of lines that edits are made on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy
from sympy import Expr, Symbol

from verifier.rule import Rule

Line = tuple[Symbol, Expr]
Lines = tuple[Line, ...]


@dataclass(frozen=True)
class Edit:
    """One mistake made in one rule: its lines, or its initial state, as the mistake has them."""

    name: str
    says: str
    step: Lines | None = None
    state: Mapping[Symbol, Expr] | None = None


def hyper(rule: Rule, name: str) -> Symbol | None:
    """The hyperparameter called `name`, or None."""
    return next((s for s in rule.hyper if s.name == name), None)


def coupling(rule: Rule) -> int | None:
    """The line d = g + weight_decay * theta."""
    wd = hyper(rule, "weight_decay")
    wanted = rule.grad + wd * rule.theta if wd is not None else None
    return next((i for i, (_, e) in enumerate(rule.step) if e == wanted), None)


def shrinking(rule: Rule) -> int | None:
    """The line that does nothing but decay theta."""
    wd = hyper(rule, "weight_decay")
    for i, (target, e) in enumerate(rule.step):
        if target == rule.theta and wd in e.free_symbols and e.free_symbols <= {rule.theta, *rule.hyper}:
            return i
    return None


def stepping(rule: Rule) -> int:
    """The line that takes the step."""
    return max(i for i, (target, _) in enumerate(rule.step) if target == rule.theta)


def with_line(rule: Rule, line: int, value: Expr) -> Lines:
    """The lines of `rule`, one of them with another value."""
    return tuple((x, value if i == line else e) for i, (x, e) in enumerate(rule.step))


def within(rule: Rule, line: int, parts: Mapping[sympy.Basic, sympy.Basic]) -> Lines:
    """The lines of `rule`, one of them with values in the place of parts of it."""
    return with_line(rule, line, put(parts)(sympy.sympify(rule.step[line][1])))


def everywhere(rule: Rule, change: Callable[[Expr], Expr]) -> Lines:
    """The lines of `rule`, all of them changed."""
    return tuple((x, change(sympy.sympify(e))) for x, e in rule.step)


def put(values: Mapping[sympy.Basic, sympy.Basic]) -> Callable[[Expr], Expr]:
    """The change that puts values in the place of parts of an expression."""
    return lambda e: e.xreplace(dict(values))


def swap(a: Expr, b: Expr) -> Callable[[Expr], Expr]:
    """The change that exchanges two parts of an expression."""
    return lambda e: e.xreplace({a: b, b: a})
