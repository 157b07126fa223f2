"""Facts computed from a rule, never declared: how it decays, how it scales, what its signs do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product

import sympy
from sympy import Expr, Integer, Symbol

from verifier.equality import witness
from verifier.equality.normal import equal
from verifier.law import domain_of
from verifier.rule import Rule, t, transition

Weights = Mapping[Symbol, Fraction]


def decay(rule: Rule) -> Symbol | None:
    """The rule's weight_decay, or None where it has none."""
    return next((s for s in rule.hyper if s.name == "weight_decay"), None)


def coupled(rule: Rule) -> bool:
    """Whether decay acts through the gradient alone: a step with (g, weight_decay) is one with (g + decay*theta, 0)."""
    wd = decay(rule)
    if wd is None:
        return False
    once = transition(rule)
    through = {rule.grad: rule.grad + wd * rule.theta, wd: Integer(0)}
    domain = domain_of(rule)
    return all(equal(e, e.xreplace(through), domain).proved for e in once.values())


def decoupled_factor(rule: Rule) -> Expr | None:
    """The factor by which a step with zero gradient and zero state shrinks theta, where only that uses the decay."""
    wd = decay(rule)
    if wd is None:
        return None
    domain = domain_of(rule)
    for factor in (1 - rule.symbol("lr") * wd, 1 - wd) if any(s.name == "lr" for s in rule.hyper) else (1 - wd,):
        once = transition(rule)
        shrunk = {rule.theta: rule.theta * factor, wd: Integer(0)}
        if all(equal(e, e.xreplace(shrunk), domain).proved for e in once.values()):
            return factor
    return None


# -- scaling, by dimensional analysis


class _Clash(Exception):
    """A sum of things that scale differently."""


def scaling(rule: Rule, theta: int, grad: int) -> dict[Symbol, int] | None:
    """Integer weights under which the rule is homogeneous, given those of theta and the gradient; None without any.

    If theta scales by c**theta and each gradient by c**grad, then every other symbol scales by c to its weight.
    Found as physicists find units: terms of a sum, and the two sides of a comparison, must have the same.
    """
    rows: list[dict[Symbol, Fraction]] = []
    for s, initial in rule.state.items():
        _same(rows, {s: Fraction(1)}, _weight(sympy.sympify(initial), rows, {}))
    now: dict[Symbol, dict[Symbol, Fraction] | None] = {}
    for target, value in rule.step:
        weight = _weight(sympy.sympify(value), rows, now)
        if target in rule.state or target == rule.theta:
            _same(rows, {target: Fraction(1)}, weight)
        else:
            now[target] = weight
    rows.append({t: Fraction(1)})
    unknown = [s for s in (*rule.hyper, *rule.state) if s.name not in ("t",)]
    return _solve(rows, unknown, {rule.theta: Fraction(theta), rule.grad: Fraction(grad), t: Fraction(0)})


def _same(
    rows: list[dict[Symbol, Fraction]], a: dict[Symbol, Fraction] | None, b: dict[Symbol, Fraction] | None
) -> None:
    if a is not None and b is not None and a != b:
        rows.append({s: a.get(s, Fraction(0)) - b.get(s, Fraction(0)) for s in {**a, **b}})


def _weight(
    expr: Expr, rows: list[dict[Symbol, Fraction]], now: Mapping[Symbol, dict[Symbol, Fraction] | None]
) -> dict[Symbol, Fraction] | None:
    """The weight of an expression as a combination of its symbols' weights; None for zero, which has any."""
    if isinstance(expr, Symbol):
        return now[expr] if expr in now else {expr: Fraction(1)}
    if expr.is_number:
        return None if expr == 0 else {}
    if isinstance(expr, sympy.Mul):
        total: dict[Symbol, Fraction] = {}
        for arg in expr.args:
            part = _weight(arg, rows, now)
            if part is None:
                return None
            for s, w in part.items():
                total[s] = total.get(s, Fraction(0)) + w
        return {s: w for s, w in total.items() if w}
    if isinstance(expr, sympy.Pow):
        base = _weight(expr.base, rows, now)
        if isinstance(expr.exp, sympy.Rational):
            power = Fraction(int(expr.exp.p), int(expr.exp.q))
            return None if base is None else {s: w * power for s, w in base.items()}
        _same(rows, base, {})
        _same(rows, _weight(expr.exp, rows, now), {})
        return {}
    if isinstance(expr, sympy.sign):
        _weight(expr.args[0], rows, now)
        return {}
    if isinstance(expr, sympy.Piecewise):
        parts = [_weight(value, rows, now) for value, _ in expr.args]
        for _, guard in expr.args:
            for relation in guard.atoms(sympy.core.relational.Relational):
                _same(rows, _weight(relation.lhs, rows, now), _weight(relation.rhs, rows, now))
    else:
        parts = [_weight(arg, rows, now) for arg in expr.args]
    first = next((part for part in parts if part is not None), None)
    for part in parts:
        _same(rows, first, part)
    return first


def _solve(
    rows: list[dict[Symbol, Fraction]], unknown: list[Symbol], given: Mapping[Symbol, Fraction]
) -> dict[Symbol, int] | None:
    """Integer weights that meet every row, free ones zero; by elimination over the rationals."""
    table = [
        [row.get(s, Fraction(0)) for s in unknown]
        + [-sum((row.get(s, Fraction(0)) * w for s, w in given.items()), Fraction(0))]
        for row in rows
    ]
    pivots: list[int] = []
    done = 0
    for column in range(len(unknown)):
        at = next((r for r in range(done, len(table)) if table[r][column]), None)
        if at is None:
            continue
        table[done], table[at] = table[at], table[done]
        lead = table[done][column]
        table[done] = [x / lead for x in table[done]]
        for r, row in enumerate(table):
            if r != done and row[column]:
                table[r] = [x - row[column] * y for x, y in zip(row, table[done], strict=True)]
        pivots.append(column)
        done += 1
    if any(row[-1] for row in table[done:]):
        return None
    found = dict.fromkeys(unknown, Fraction(0))
    for r, column in enumerate(pivots):
        found[unknown[column]] = table[r][-1]
    if any(w.denominator != 1 for w in found.values()):
        return None
    return {s: int(w) for s, w in found.items()} | {s: int(w) for s, w in given.items() if s != t}


# -- signs


def parity(rule: Rule) -> dict[Symbol, int] | None:
    """The sign (1 or -1) each state variable takes when theta and every gradient are negated; None if it has none.

    Guessed at one exact point and left to be proved: a state that is zero there may keep either sign.
    """
    once = transition(rule)
    states = list(rule.state)
    for signs in product((1, -1), repeat=len(states)):
        chosen = dict(zip(states, signs, strict=True))
        if any(
            sign == -1
            and sympy.sympify(rule.state[s]) != 0
            and rule.theta not in sympy.sympify(rule.state[s]).free_symbols
            for s, sign in chosen.items()
        ):
            continue
        flipped: dict[Symbol, Expr] = {rule.theta: -rule.theta, rule.grad: -rule.grad}
        flipped |= {s: sign * s for s, sign in chosen.items()}
        wanted = {rule.theta: -1, **chosen}
        if all(_plausible(once[s].xreplace(flipped), wanted[s] * once[s], rule) for s in once):
            return chosen
    return None


def _plausible(left: Expr, right: Expr, rule: Rule) -> bool:
    """Whether two expressions agree at the first exact points where both have values."""
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    agreed = 0
    for point in _some(witness.points(symbols, domain_of(rule)), 12):
        try:
            if witness.certified_sign(witness.difference(left, right, point)) not in (0, None):
                return False
        except witness.Undecidable:
            continue
        agreed += 1
        if agreed == 2:
            break
    return True


def _some(points: Iterator[dict[Symbol, sympy.Rational]], count: int) -> Iterator[dict[Symbol, sympy.Rational]]:
    for _ in range(count):
        yield next(points)
