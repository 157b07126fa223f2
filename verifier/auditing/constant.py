"""Code that follows a rule of the catalogue but for a number where an option should stand: the option's own default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sympy import Rational, Symbol

from verifier import rules
from verifier.edits import Edit, everywhere, put
from verifier.lift import matching
from verifier.lift.lifted import Lift
from verifier.lift.relatives import Relative
from verifier.mutants import made

SIMPLE = 64
"""Numbers with a denominator up to this are part of formulas; a default beyond them stands in none by chance."""


def constant(read: Lift, options: Mapping[str, float]) -> Relative | None:
    """The rule that code follows with one option in the place of its default; None where there is none.

    `options` are numbers that groups have, and their defaults. The rule must have a hyperparameter of that name, and be
    proved of the code as it is with the option: nothing is guessed of numbers that only look alike.
    """
    rule = read.rule
    if rule is None:
        return None
    for name, default in options.items():
        number = Rational(repr(default))
        if number.q <= SIMPLE:
            continue
        symbol = next((s for s in rule.hyper if s.name == name), Symbol(name, real=True))
        step = everywhere(rule, put({number: symbol, 1 - number: 1 - symbol}))
        domain = next((d for one in matching.candidates(read) for s, d in one.hyper.items() if s.name == name), None)
        if step == rule.step or domain is None:
            continue
        whole = replace(rule, step=step, hyper={**rule.hyper, symbol: domain})
        proof = matching.match(replace(read, rule=whole, hyper={**read.hyper, name: default}))
        if proof is None or proof.maps or all(s.name != name for s in rules.get(proof.rule).hyper):
            continue
        named = replace(whole, name=proof.rule)
        wrong = made(named, Edit(f"constant_{name}", f"{default:g} stands where {name} should", rule.step))
        return Relative(proof.rule, named, (), wrong, proof)
    return None
