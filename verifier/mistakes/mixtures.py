"""Slips in sums of moments and gradients, in the order in which states are updated, and where signs are taken."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy
from sympy import Add, Eq, Expr, Integer, Mul, Piecewise, Symbol, sign

from verifier.edits import Edit, coupling, stepping, with_line
from verifier.rule import Rule, shared


def slips_of_mixtures(rule: Rule) -> Iterator[Edit]:
    """Sums that a step is made of: a term left out, taken twice, subtracted, or weighted by another rate."""
    for i, (target, e) in enumerate(rule.step):
        if target == rule.theta or target in rule.state or i == coupling(rule):
            continue
        for factor in Mul.make_args(sympy.sympify(e)):
            if factor.is_Symbol and factor not in shared(rule) and factor != e:
                says = f"{factor} is missing from {target}"
                yield Edit(f"lacks_{factor}_{target}", says, with_line(rule, i, sympy.sympify(e) / factor))
        for mixture in _mixtures(rule, sympy.sympify(e)):
            for name, says, value in _altered(rule, target, mixture):
                yield Edit(f"{name}_{target}", says, with_line(rule, i, sympy.sympify(e).xreplace({mixture: value})))


def _mixtures(rule: Rule, e: Expr) -> list[Add]:
    """Sums of at least two terms that vary from element to element."""
    constant = shared(rule)
    sums = (a for a in e.atoms(Add) if not a.has(Piecewise, Eq))
    return sorted((a for a in sums if all(t.free_symbols - constant for t in a.args)), key=str)


def _altered(rule: Rule, target: Symbol, mixture: Add) -> Iterator[tuple[str, str, Expr]]:
    """Names, words and values of what may stand in the place of a sum."""
    rates = [s for s in rule.hyper if s.name.startswith(("beta", "nu", "momentum", "alpha"))]
    for term in sorted(mixture.args, key=str):
        what = str(next(iter(sorted(term.free_symbols - shared(rule), key=str))))
        rest = mixture - term
        yield f"without_{what}", f"{what} is missing from {target}", rest
        yield f"twice_{what}", f"{what} is added to {target} twice", mixture + term
        yield f"subtracted_{what}", f"{what} enters {target} with the wrong sign", mixture - 2 * term
        for rate in (r for r in rates if r.name != "momentum"):
            for factor, words in ((rate, f"{rate}"), (1 - rate, f"1 - {rate}")):
                if factor in Mul.make_args(term):
                    says = f"{words} is missing before {what} in {target}"
                    yield f"unweighted_{what}_by_{rate}", says, rest + term.xreplace({factor: Integer(1)})
                    says = f"{what} is divided by {words} in {target} where it should be multiplied"
                    yield f"divided_{what}_by_{rate}", says, rest + term / factor**2
    for rate in (r for r in rates if mixture.has(1 - r)):
        swapped, whole = {rate: 1 - rate, 1 - rate: rate}, {1 - rate: rate}
        yield f"reversed_{rate}", f"{rate} and 1 - {rate} are swapped in {target}", mixture.xreplace(swapped)
        yield f"both_{rate}", f"{rate} stands where 1 - {rate} should in {target}", mixture.xreplace(whole)
    for rate in (r for r in rates if r in mixture.free_symbols):
        for other in (r for r in rates if r != rate and r.name[:2] == rate.name[:2]):
            says = f"{other} stands where {rate} should in {target}"
            yield f"{other}_for_{rate}", says, mixture.xreplace({rate: other})
    for term, rate in itertools.product(sorted(mixture.args, key=str), rates):
        if rate in Mul.make_args(term):
            what = str(next(iter(sorted(term.free_symbols - shared(rule), key=str))))
            says = f"1 - {rate} stands where {rate} should before {what} in {target}"
            yield f"turned_{what}_by_{rate}", says, mixture - term + term / rate * (1 - rate)


def slips_of_order(rule: Rule) -> Iterator[Edit]:
    """States that are updated before they are read, or read before they are updated."""
    last = stepping(rule)
    for i, (held, _) in enumerate(rule.step):
        if held not in rule.state:
            continue
        for k, (reader, value) in enumerate(rule.step):
            if reader in (held, rule.theta) or held not in sympy.sympify(value).free_symbols:
                continue
            rest = [line for n, line in enumerate(rule.step) if n != i]
            between = {x for x, _ in rule.step[k:i]}
            if k < i and not between & sympy.sympify(rule.step[i][1]).free_symbols:
                lines = (*rest[:k], rule.step[i], *rest[k:])
                yield Edit(f"early_{held}_for_{reader}", f"{reader} reads {held} when it is updated already", lines)
            elif i < k < last and reader in rule.state:
                lines = (*rest[:k], rule.step[i], *rest[k:])
                yield Edit(f"stale_{held}_for_{reader}", f"{reader} reads {held} before it is updated", lines)


def slips_of_signs(rule: Rule) -> Iterator[Edit]:
    """Signs that are not taken."""
    for i, (target, e) in enumerate(rule.step):
        signs = {s: s.args[0] for s in sympy.sympify(e).atoms(sign)}
        if signs:
            says = f"the sign is not taken, so that {target} moves by the whole value"
            yield Edit(f"unsigned_{target}", says, with_line(rule, i, sympy.sympify(e).xreplace(signs)))
