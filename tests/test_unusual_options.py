"""Options that act now and then, and ascents that turn the step, are understood; mistakes beside them are found."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tests.test_false_alarms import FAST
from tests.unusual_options import KINDS, FullMatrix, Kinds
from verifier import record
from verifier.auditing import collect as audit_collect
from verifier.auditing.probe import learn, with_class
from verifier.auditing.request import Request
from verifier.floats import FP32
from verifier.subjects.torch_signature import resolve, signature


@functools.cache
def laws_of(name: str) -> dict[str, Any]:
    """The laws of one of the optimizers, each with the subjects it is asked of."""
    target = f"tests.unusual_options:{name}"
    found = with_class(learn(Request(target)), resolve(target)[1])
    modules: list[Any] = [*audit_collect._rule_modules(found, "ci"), audit_collect._contract_module(found, "ci")]
    asked = [(law, test, made.subjects) for made in modules for law, test in vars(made).items()]
    return {law: (FAST(test), subjects) for law, test, subjects in asked if hasattr(test, "hypothesis")}


def said(name: str, law: str) -> str:
    """What a law finds wrong in float64 or float32; empty where it holds."""
    test, subjects = laws_of(name)[f"test_{law}"]
    for subject in (s for s in subjects if s.format.precision >= FP32.precision and not s.untestable):
        record.start()
        try:
            test(subject=subject)
        except record.Violation as violation:
            return violation.sentence
    return ""


@pytest.mark.parametrize(
    ("right", "wrong", "law", "words"),
    [
        ("Refreshes", "RefreshesByTheFirst", "schedule", "beta2 has no effect once steps are taken"),
        ("DecaysAcross", "DecaysAcrossByTheFirst", "schedule", "wd_ratio has no effect once steps are taken"),
        ("Believes", "BelievesTheLast", "acting_switches", "amsgrad changes no step"),
        ("StepsLittle", "StepsMoreInDouble", "formats", "a run in float64 is not that in float32"),
        ("TurnsTheSign", "TurnsTheSignTwice", "step_follows", "momentum_buffer left its enclosure"),
        ("DecaysVectorsApart", "DecaysVectorsApartAndForgets", "decay_switches", "although nothing decays"),
        ("Switches", "SwitchesToNothing", "acting_switches", "nesterov changes no step"),
        ("Switches", "SwitchesToNothingTwice", "acting_switches", "nesterov changes no step"),
        ("Proximal", "ProximalWithNoise", "step_follows", "left its enclosure"),
        ("TurnsTheStep", "TurnsHalfTheStep", "maximize", "maximize differs from negated gradients"),
    ],
)
def test_what_acts_now_and_then_is_no_mistake(right: str, wrong: str, law: str, words: str) -> None:
    """An option that acts every ten steps, or by the numbers, acts; a state may keep the gradient's own sign."""
    assert said(right, law) == ""
    assert words in said(wrong, law)


def test_state_that_is_the_square_of_a_vector_is_asked_of_short_ones() -> None:
    """Whether every part of a tensor moves the rest is asked of 40 elements; who reads less of it is found."""
    FullMatrix.longest = 0
    assert said("FullMatrix", "whole_tensors") == ""
    assert FullMatrix.longest == 40
    assert "a step reads some elements of a tensor of 40" in said("PartOfMatrix", "whole_tensors")


def test_words_that_an_option_is_compared_with_are_drawn() -> None:
    """Words may be those of the code: what acts under one acts, and what is wrong under one shows."""
    assert signature(Kinds).option("kind").words == KINDS
    assert said("Kinds", "acting_rates") == ""
    assert said("Kinds", "purity") == ""
    assert ".grad was changed by the step" in said("KindsThatWrite", "purity")
