"""What roundings or chance make of a step is no mistake; what they cannot explain is found beside them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sympy
from hypothesis.stateful import run_state_machine_as_test

from tests.asked import Asked
from tests.test_life import FEW
from verifier import rules
from verifier.auditing.life import machine, reference
from verifier.auditing.probe import Held
from verifier.lift.trajectory import inputs_of

ASKED = Asked("tests.unusual_numbers", ("float64", "float32", "bfloat16", "float16"))
learnt, said = ASKED.learnt, ASKED.said


@pytest.mark.parametrize(
    ("right", "wrong", "law", "words"),
    [
        ("Eigenbasis", "EigenbasisInRows", "tall_matrices", "a wide matrix is stepped otherwise"),
        ("Secant", "SecantOfSome", "whole_tensors", "a step reads some elements of a tensor of 1280"),
        ("ByPart", "ByPartWithoutEps", "stays_finite", "a zero gradient makes a parameter NaN"),
        ("ByDistance", "ByDistanceWithLargeDecay", "acting_rates", "acts as 0, though"),
        ("InABall", "InABallByTheFirst", "uniform_tensors", "of one value moves otherwise than in small ones"),
        ("ClipsByValue", "ClipsByValueAndForgets", "memory_of_steps", "through beta2, whatever that is"),
        ("Whitens", "WhitensLargeMore", "uniform_tensors", "of one value moves otherwise than in small ones"),
        ("Orthogonal", "OrthogonalByElement", "shapes", "raised instead of stepping"),
        ("Hypentropy", "HypentropyForgets", "memory_of_steps", "whatever momentum is"),
        ("OnASphere", "BesideASphere", "zero_parameters", "zero everywhere is never moved"),
        ("OnASphere", "BesideASphere", "shapes", "is not moved"),
        ("ByNames", "ByNamesOfTheFirst", "added_group", "moves"),
        ("RoundsBySeed", "RoundsBySeedAndDecaysMore", "step_follows", "left its enclosure"),
        ("Normed", "NormedUntilOneRests", "absent_gradients", "because another parameter has no gradient"),
        ("Signs", "SignsAgainst", "direction", "every step that moves a parameter goes up its gradient"),
        ("Signs", "SignsOrDecays", "acting_rates", "weight_decay changes no step with cautious on"),
        ("WithMaster", "WithMasterThroughHalf", "master_weights", "the parameter is not master, rounded"),
        ("Clamps", "ClampsAbove", "bounds", "clip_value bounds no negative gradient"),
        ("MovesWithAverage", "MovesFromZero", "resting_rate", "although lr is next to nothing"),
        ("LowersItsRate", "LowersItsRateInHalf", "step_follows", "left its enclosure"),
        ("Unscales", "UnscalesInHalf", "step_follows", "left its enclosure"),
        ("UnscalesAhead", "UnscalesInHalf", "as_read", "is not what the rule read out of the code gives"),
    ],
)
def test_what_rounding_or_chance_makes_of_a_step_is_no_mistake(right: str, wrong: str, law: str, words: str) -> None:
    """Neighbouring inputs explain it, or a generator that nobody holds; what is wrong beside it they do not."""
    assert said(right, law) == ""
    assert words in said(wrong, law)


def test_what_the_code_says_of_whole_tensors_is_believed_where_runs_seldom_show_it() -> None:
    """Elements that depend on others in some steps alone are no mistake; single elements that go by size are one."""
    assert ASKED.signature("SeldomMasked").exempt["partition"] == "its step reads whole tensors"
    assert "depends on how elements are cut" in said("MaskedBySize", "partition")


def test_an_element_that_rests_for_its_place_reads_no_other() -> None:
    """A step that depends on places and on no other element is asked all that steps of single elements are."""
    assert "partition" not in ASKED.signature("InFours").exempt
    assert said("InChunks", "sizes") == ""
    assert "an element of a tensor of 17 moves otherwise" in said("InFours", "sizes")


def test_the_decay_of_an_average_is_no_weight_decay() -> None:
    """An option that is called decay and is nearly one is not looked for in the gradient; weight_decay is."""
    assert [proof.mutant for proof in learnt("Averages").proofs if proof.mutant] == []
    assert any("decay_missing" in proof.mutant for proof in learnt("AveragesByDecay").proofs)


def test_parameters_that_come_with_names_may_be_of_several_dtypes() -> None:
    """Names go with the very tensors that are looked at, whatever became of their numbers."""
    assert said("ByNames", "mixed_dtypes") == ""
    assert said("ByNames", "complex_numbers") == ""
    assert ASKED.signature("ByNames").first == "named_parameters"


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


def test_matrix_of_float16_that_has_no_decomposition_is_no_violation() -> None:
    """What overflows in float16 has no eigenvectors, and of that nothing is said; what has none in float32 is found."""
    assert said("Whitens", "purity") == ""
    assert "_LinAlgError" in said("WhitensUndamped", "accepted_options")


def test_code_without_state_is_no_rule_that_forgets_its_own() -> None:
    """A gradient over its own size is not Adagrad whose sum forgets: no sum is kept."""
    assert "mutant" not in learnt("ByPart").described["proof"] or not learnt("ByPart").described["proof"]["mutant"]
    assert not [read.mutant for read in learnt("ByPart").proofs if read.mutant]
