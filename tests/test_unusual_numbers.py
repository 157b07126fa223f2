"""What roundings or chance make of a step is no mistake; what they cannot explain is found beside them."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import pytest
import sympy
from hypothesis.stateful import run_state_machine_as_test

from tests.test_false_alarms import FAST
from tests.test_life import FEW
from verifier import record, rules
from verifier.auditing import collect as audit_collect
from verifier.auditing.life import machine, reference
from verifier.auditing.probe import Found, Held, learn, with_class
from verifier.auditing.request import Request
from verifier.lift.trajectory import inputs_of
from verifier.subjects.torch_signature import resolve


@functools.cache
def learnt(name: str) -> Found:
    """What an audit knows of one of the optimizers."""
    target = f"tests.unusual_numbers:{name}"
    return with_class(learn(Request(target)), resolve(target)[1])


@functools.cache
def laws_of(name: str) -> dict[str, Any]:
    """The laws of one of the optimizers, each with the subjects it is asked of."""
    found = learnt(name)
    modules: list[Any] = [*audit_collect._rule_modules(found, "ci"), audit_collect._contract_module(found, "ci")]
    asked = [(law, test, made.subjects) for made in modules for law, test in vars(made).items()]
    return {law: (FAST(test), subjects) for law, test, subjects in asked if hasattr(test, "hypothesis")}


def said(name: str, law: str) -> str:
    """What a law finds wrong, and where; empty where it holds."""
    test, subjects = laws_of(name)[f"test_{law}"]
    for subject in (s for s in subjects if not s.untestable):
        record.start()
        try:
            test(subject=subject)
        except record.Violation as violation:
            return violation.sentence
    return ""


@pytest.mark.parametrize(
    ("right", "wrong", "law", "words"),
    [
        ("Eigenbasis", "EigenbasisInRows", "tall_matrices", "a wide matrix is stepped otherwise"),
        ("Secant", "SecantOfSome", "whole_tensors", "a step reads some elements of a tensor of 1280"),
        ("ByPart", "ByPartWithoutEps", "stays_finite", "a zero gradient makes a parameter NaN"),
        ("ByDistance", "ByDistanceWithLargeDecay", "acting_rates", "acts as 0, though"),
        ("InABall", "InABallByTheFirst", "uniform_tensors", "of one value moves otherwise than in small ones"),
        ("ClipsByValue", "ClipsByValueAndForgets", "memory_of_steps", "through beta2, whatever that is"),
        ("RoundsBySeed", "RoundsBySeedAndDecaysMore", "step_follows", "left its enclosure"),
    ],
)
def test_what_rounding_or_chance_makes_of_a_step_is_no_mistake(right: str, wrong: str, law: str, words: str) -> None:
    """Neighbouring inputs explain it, or a generator that nobody holds; what is wrong beside it they do not."""
    assert said(right, law) == ""
    assert words in said(wrong, law)


def test_lives_of_matrices_are_not_held_to_the_rule_of_vectors() -> None:
    """What was read of vectors says nothing of matrices beside them, which still move as they would alone."""
    right, wrong = learnt("NormsMatrices"), learnt("NormsMatricesByGroup")
    held = (Held(rules.get("sgd"), "matched", {}, frozenset()),)
    assert right.of_vectors
    assert right.signature is not None
    assert reference(right.signature, held, right.signature.defaults) is not None

    run_state_machine_as_test(machine(right.signature, held=held), settings=FEW)
    with pytest.raises(AssertionError, match=r"leaves the rule|moves otherwise than it would alone"):
        run_state_machine_as_test(machine(wrong.signature, held=held), settings=FEW)


def test_one_name_for_two_things_still_has_a_value() -> None:
    """A rule whose alpha is a rate is compared with code whose alpha is at least one, and taken for no other."""
    rate = rules.get("rmsprop")
    large = {s: sympy.Interval(1, sympy.oo) if s.name == "alpha" else values for s, values in rate.hyper.items()}

    assert inputs_of(rate, replace(rate, hyper=large), {}, 0)["alpha"] >= 1
