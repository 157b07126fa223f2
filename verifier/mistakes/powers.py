"""Slips of powers other than squares and square roots, of weights that grow, and of averages with theta itself."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Integer, Pow, Rational

from verifier.edits import Edit, stepping, within
from verifier.rule import Rule, shared, t


def slips_of_powers(rule: Rule) -> Iterator[Edit]:
    """A cube root that is another root or none, and an exponent without its factor."""
    for i, (target, e) in enumerate(rule.step):
        for power in sorted(sympy.sympify(e).atoms(Pow), key=str):
            base, exponent = power.as_base_exp()
            if abs(exponent) == Rational(1, 3):
                turned = sympy.sign(exponent)
                for name, words, other in (
                    ("square", "square root", Rational(1, 2)),
                    ("no", "value itself", Integer(1)),
                ):
                    says = f"the {words} of {base} stands in {target} where the cube root should"
                    yield Edit(f"{name}_root_{target}", says, within(rule, i, {power: base ** (turned * other)}))
            factor, rest = exponent.as_coeff_Mul()
            if rest in (*rule.hyper, *(-h for h in rule.hyper)) and abs(factor) not in (0, 1):
                says = f"the exponent of {target} lacks its factor {abs(factor)}"
                yield Edit(f"exponent_{target}", says, within(rule, i, {power: base ** (exponent / abs(factor))}))


def slips_of_weights(rule: Rule) -> Iterator[Edit]:
    """Weights of what is new that grow with the step's number: grown otherwise, not at all, or left out of a sum."""
    weights = [
        (i, x) for i, (x, e) in enumerate(rule.step) if x in shared(rule) and sympy.sympify(e).has(sympy.sqrt(t))
    ]
    for i, weight in weights:
        yield Edit(f"rootless_{weight}", f"{weight} grows with t, not its root", within(rule, i, {sympy.sqrt(t): t}))
        yield Edit(f"constant_{weight}", f"{weight} does not grow", within(rule, i, {sympy.sqrt(t): Integer(1)}))
        for k, (target, e) in enumerate(rule.step):
            if target in rule.state and weight in sympy.sympify(e).free_symbols:
                says = f"{weight} is left out of {target}"
                yield Edit(f"unweighted_{target}", says, within(rule, k, {weight: Integer(1)}))
    if not weights:
        return
    last = stepping(rule)
    for rate in rule.hyper:
        value = sympy.sympify(rule.step[last][1])
        if value.has(rate * rule.theta) and value.has(1 - rate):
            says = f"{rate} and 1 - {rate} are swapped in the step"
            yield Edit("reversed_theta", says, within(rule, last, {rate: 1 - rate, 1 - rate: rate}))
            says = f"{rate} stands in the step where 1 - {rate} should"
            yield Edit("both_theta", says, within(rule, last, {1 - rate: rate}))


def eps_in_weights(rule: Rule) -> Iterator[Edit]:
    """Weights that grow, made of lr alone and not of lr + eps."""
    eps = next((h for h in rule.hyper if h.name == "eps"), None)
    for i, (x, e) in enumerate(rule.step):
        value = sympy.sympify(e)
        if eps is not None and x in shared(rule) and value.has(sympy.sqrt(t)) and eps in value.free_symbols:
            yield Edit("eps_not_in_lr", "eps is not added to lr", within(rule, i, {eps: Integer(0)}))
