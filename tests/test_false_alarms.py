"""Habits of right optimizers are no findings; what is wrong beside them still is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.asked import Asked
from tests.unusual import ConstantMistaken, ConstantRates
from verifier import check, record
from verifier.auditing import overdue
from verifier.auditing.scene import Scene, built
from verifier.lift import lift
from verifier.subjects.torch_conventions import case_of, source
from verifier.subjects.torch_signature import resolve

ASKED = Asked("tests.unusual", ("float64", "float32", "bfloat16"))
learnt, laws_of, said = ASKED.learnt, ASKED.laws, ASKED.said


@pytest.mark.parametrize("law", ["partition", "sizes", "layouts", "all_parameters"])
def test_roundings_of_tails_are_no_mistakes(law: str) -> None:
    """Two additions that vector bodies fuse and tails do not are roundings of the rule read out of the code."""
    assert "" == said("TwoAdditions", law)


def test_small_mistake_of_large_tensors_is_no_rounding() -> None:
    """A decay that is a thousandth less in larger tensors is found all the same."""
    assert "moves otherwise" in said("DecaysLess", "sizes")


def test_counter_under_a_name_is_a_convention() -> None:
    """Steps counted once, in the state, are told as a convention; laws that suppose a counter each are not asked."""
    signature = learnt("CountsOnce").signature
    assert signature is not None

    assert ("convention", "counts steps in k, not for each parameter") in signature.notes
    assert {"late_parameters", "added_group", "idle_step"} <= set(signature.exempt)


def test_value_that_makes_the_step_raise_is_one_finding() -> None:
    """Division by beta1 = 0 is said by one law, with the option; nothing else draws it."""
    signature = learnt("Divides").signature
    assert signature is not None

    assert [0.0] == [case.hyper["beta1"] for case in signature.raising]
    assert all(one["beta1"] != 0 for one in signature.configurations)
    assert "ZeroDivisionError" in said("Divides", "accepted_options")
    assert {"groups": "", "order": ""} == {law: said("Divides", law) for law in ("groups", "order")}


def test_value_that_makes_the_step_raise_hides_nothing() -> None:
    """Another mistake of the same class is found beside it."""
    assert ".grad was changed" in said("DividesAndWrites", "purity")


def test_momentum_is_tried_at_zero() -> None:
    """Where the default is another value, no case has it, and the step may take lines that were never run."""
    assert "UnboundLocalError" in said("WantsMomentum", "accepted_options")


def test_tensor_that_rests_without_any_gradient_is_a_convention() -> None:
    """How its elements are cut into tensors then matters; one zero among other gradients is no such thing."""
    words = ("convention", "a tensor whose gradient is zero everywhere takes no step, with all its elements")
    lazy, usual = learnt("LazyMomentum").signature, learnt("WantsMomentum").signature
    assert lazy is not None
    assert usual is not None

    assert [True, False] == [words in one.notes for one in (lazy, usual)]
    assert "partition" in lazy.exempt


def test_rate_of_vectors_alone_acts() -> None:
    """An option that changes no step of a matrix may change those of vectors."""
    assert "" == said("MomentumOfVectors", "acting_rates", ("float64",))


def test_rule_of_vectors_holds_vectors() -> None:
    """What was read of vectors says nothing of matrices that the step treats otherwise."""
    assert learnt("ByShape").of_vectors
    assert "" == said("ByShape", "step_follows")


def test_rule_of_vectors_is_held_to_vectors() -> None:
    """Longer vectors that move otherwise are found where matrices are left out."""
    assert "left its enclosure" in said("ByShapeAndSize", "step_follows")


def test_only_the_marked_row_was_overdue(tmp_path: Any) -> None:
    """A row with a mark is untestable; any other that ended its process stays what it was."""
    evidence = tmp_path / "audit.jsonl"
    overdue.marks(evidence).write_text("60 a.py::test_b[c]\n")

    assert "untestable" == overdue.of(evidence, "a.py::test_b[c]")["verdict"]
    assert {} == overdue.of(evidence, "a.py::test_b[d]")
    assert {} == overdue.of(None, "a.py::test_b[c]")


def test_step_sizes_that_begin_with_lr_are_no_rate_that_is_kept() -> None:
    """Nor are those that bounds keep from ever being lr."""
    assert "" == said("BoundedStepSizes", "scheduled_lr")


@pytest.mark.parametrize("law", ["as_read", "step_follows"])
def test_state_coarser_than_its_parameters_is_no_mistake(law: str) -> None:
    """No enclosure of the parameters' format holds bfloat16 state beside float32 parameters; nothing is said of it."""
    assert "" == said("KeptNarrow", law, ("float64", "float32"))


@pytest.mark.parametrize("law", ["as_read", "step_follows"])
def test_bias_corrections_of_a_tensor_that_counts_are_no_mistake(law: str) -> None:
    """Scalars that are computed from a float32 counter have its digits, and the rest of the step its own."""
    assert "" == said("CountsInTensor", law)


def test_gradients_that_lost_digits_are_a_mistake_beside_a_tensor_that_counts() -> None:
    """What float32 scalars allow is no excuse for gradients."""
    assert "enclosure" in said("CountsAndRounds", "step_follows") or "theta" in said("CountsAndRounds", "as_read")


@pytest.mark.parametrize("law", ["as_read", "step_follows"])
def test_rates_that_are_constants_of_the_code_are_no_mistake(law: str) -> None:
    """The first step is no step of its own because of what `1 - 0.999` rounds to."""
    assert "" == said("ConstantRates", law, ("float64", "float32", "float16"))


def test_numbers_computed_of_constants_are_printed_as_the_code_has_them() -> None:
    """Nobody writes 10000000000000009 / 10000000000000000000."""
    assert "v = 0.999 * v + (1 - 0.999) * g^2" in lift(ConstantRates).formula


def test_first_step_that_is_another_one_is_still_read_apart() -> None:
    """What rounding of constants cannot explain is a branch of the rule."""
    assert "if t = 1" not in lift(ConstantRates).formula
    assert "if t = 1" in lift(ConstantMistaken).formula


def test_rate_that_steps_write_themselves_is_a_convention() -> None:
    """A schedule within the step is told; laws that suppose the group's lr to stay are not asked."""
    signature = learnt("WritesItsRate").signature
    assert signature is not None

    assert ("convention", "its steps write lr of the groups themselves") in signature.notes
    assert {"late_parameters", "idle_step", "schedule"} <= set(signature.exempt)
    assert "" == said("WritesItsRate", "as_read")


def test_rate_that_is_put_back_is_none() -> None:
    """The lr of the constructor, written at every step, is no schedule but a mistake."""
    signature = learnt("ForgetsItsRate").signature
    assert signature is not None

    assert "schedule" not in signature.exempt
    assert said("ForgetsItsRate", "schedule") != ""


def schedule_of(name: str, rate: float) -> str:
    """What the law of schedules finds when the rate is set to `rate` before the third of four steps."""
    subject = next(one for one in laws_of(name)["schedule"][1] if one.format.name == "float64")
    case = case_of(learnt(name).signature, [(2,)], learnt(name).signature.defaults, 4)
    record.start()
    try:
        check.scheduled(subject, case.with_(schedule={3: {"lr": rate}}))
    except record.Violation as found:
        return found.what
    return ""


def test_option_set_to_what_it_was_has_no_effect() -> None:
    """That the optimizer built anew steps otherwise is of what it counts, and not of options."""
    assert "" == schedule_of("Slows", 0.1)


def test_option_without_effect_is_found_where_it_would_matter() -> None:
    """The rate that the optimizer puts back is asked with a value that a new one steps otherwise with."""
    assert "has no effect" in schedule_of("ForgetsItsRate", 0.3)


def test_matrix_without_an_inverse_is_no_part_that_is_left_out() -> None:
    """Equal rows are what the law of whole tensors tries; a step that cannot be taken there says nothing."""
    assert "" == said("NoRoot", "whole_tensors")


def test_groups_that_a_class_makes_itself_are_left_alone() -> None:
    """Nothing is written into the group of each name, and none is added; what needs no groups is asked."""
    signature = learnt("ByName").signature
    assert signature is not None

    assert {"added_group", "groups", "schedule", "options_read"} <= set(signature.exempt)
    assert signature.group_options == frozenset()
    assert "" == said("ByName", "order")


def test_required_option_that_is_never_drawn_is_the_number_it_was_given() -> None:
    """The rule read out of the code has that number in it, so that no case takes another one."""
    assert "" == said("Needs", "step_follows")


def test_scripts_give_what_a_constructor_needs() -> None:
    """Options without a default are written out, though no case changes them."""
    signature = learnt("Needs").signature
    assert signature is not None
    text = built(Scene(signature, "forloop", "float32", {}), case_of(signature, [(2,)], signature.defaults), {}, [0])

    assert "momentum=" in text
    assert "nu=" in text


def test_option_by_which_a_format_is_rounded_by_chance_is_left_alone() -> None:
    """It is told, and no case turns it, so that runs can be compared."""
    signature = learnt("RoundsByChance").signature
    assert signature is not None

    assert (0.0,) == signature.option("stochastic").values
    assert ("convention", "draws random numbers where stochastic is turned, which it was not") in signature.notes
    assert "" == said("RoundsByChance", "order", ("bfloat16",))


def test_elements_that_are_read_through_a_mask_are_a_convention() -> None:
    """A mean over the tensor of signs that agree is seen, though the first step does not need it."""
    signature = learnt("ReadsTheMask").signature
    assert signature is not None

    assert "partition" in signature.exempt


def test_loss_beside_other_things_is_returned() -> None:
    """An option may ask for more than the loss; the loss in a tuple of its own is none."""
    assert ["", "step(closure) does not return the loss"] == [
        said(name, "closure").partition(": ")[2].partition(" at ")[0] for name in ("ReturnsMore", "ReturnsTuple")
    ]


def test_what_torch_supports_says_nothing_of_a_step_that_is_another() -> None:
    """Complex numbers are asked of torch's Adam, and not of a class over it that steps by itself."""
    torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))])  # which gives it Adam's step, wrapped, where it is the first
    assert "is_complex" in source(torch.optim.AdamW)
    assert "is_complex" not in source(resolve("tests.unusual:StepsItself")[1])


def test_step_sizes_in_a_list_are_rounded_apart() -> None:
    """A product that is rounded before it is added, because tensors differ in their step size, is no mistake."""
    assert "" == said("ListedRates", "late_parameters")


def test_step_size_of_another_tensor_is_a_mistake() -> None:
    """A late parameter that takes the step size of the first is found in foreach as well."""
    assert "a parameter that missed steps" in said("ListedFirst", "late_parameters")
