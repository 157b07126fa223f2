"""Options that act now and then, and ascents that turn the step, are understood; mistakes beside them are found."""

from __future__ import annotations

import pytest

from tests.asked import Asked
from tests.unusual_options import KINDS, FullMatrix, Kinds
from verifier.subjects.torch_signature import signature

ASKED = Asked("tests.unusual_options")
said = ASKED.said


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
        ("Centralises", "CentralisesWithoutMaximum", "acting_switches", "amsgrad changes no step"),
        ("TurnsTheStep", "TurnsHalfTheStep", "maximize", "maximize differs from negated gradients"),
        ("ClipsAGroup", "ClipsAGroupAsBuilt", "maximize", "maximize of a group differs from negated gradients"),
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
