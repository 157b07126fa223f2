"""Steps that count twice, search along a line or keep averages are understood; mistakes beside them are found."""

from __future__ import annotations

import pytest

from tests.asked import Asked

ASKED = Asked("tests.unusual_steps")
learnt, signature_of, said = ASKED.learnt, ASKED.signature, ASKED.said


def test_warm_up_of_a_group_beside_counts_of_parameters_is_a_convention() -> None:
    """Where steps depend on both counts, laws of missing gradients say nothing, and the convention says why."""
    signature = signature_of("WarmsUp")

    words = "counts steps in step, and for each parameter: its steps depend on both"
    assert ("convention", words) in signature.notes
    assert {"late_parameters", "added_group", "idle_step", "absent_gradients"} <= set(signature.exempt)
    assert not learnt("WarmsUp").counts_each


def test_count_of_a_parameter_that_is_not_read_is_a_mistake() -> None:
    """Corrections made of the group's count, beside one of the parameter that nothing reads, are found."""
    assert learnt("CorrectsByGroup").counts_each
    assert "missed steps" in said("CorrectsByGroup", "late_parameters")


def test_counts_in_a_table_are_a_convention() -> None:
    """Steps counted in a table of the optimizer's are counted once; a later rate acts as in one built with it."""
    assert ("convention", "counts steps in counts, not for each parameter") in signature_of("CountsInTable").notes
    assert "" == said("CountsInTable", "schedule")


def test_option_kept_from_the_constructor_is_found_beside_a_table() -> None:
    """That a table of counts is carried over hides no option that is kept."""
    assert "no effect" in said("KeepsDecay", "schedule")


def test_step_that_reads_the_loss_couples_tensors() -> None:
    """A line search is told as a convention; laws of single elements and tensors are not asked."""
    signature = signature_of("Searches")

    assert ("convention", "couples tensors: its steps depend on the loss") in signature.notes
    assert {"groups", "mixed_dtypes", "nan_stays", "sizes"} <= set(signature.exempt)


@pytest.mark.parametrize("name", ["c", "decay_rate"])
def test_option_is_not_called_idle_for_what_a_run_cannot_show(name: str) -> None:
    """An option that shows in the state, or in losses that fall, does something."""
    notes = [
        words for kind, words in signature_of("Searches").notes + signature_of("Averages").notes if "no value" in words
    ]

    assert ["no value of unused changed anything in the runs tried"] == notes
    assert not any(f" {name} " in words for words in notes)


def test_foreach_may_leave_mixed_lists_to_the_for_loop() -> None:
    """Bits of the for-loop are right ones where the dtypes of a list differ; those of neither are a finding."""
    assert "" == said("LeavesMixedLists", "mixed_dtypes", ("float32", "bfloat16"))
    assert "changes the others" in said("ForgetsDecayInMixedLists", "mixed_dtypes", ("float32", "bfloat16"))


def test_tensor_that_is_skipped_as_a_whole_is_a_convention() -> None:
    """No step at all of a tensor whose gradient is not finite is on purpose; half a step is not."""
    words = "a tensor whose gradient has NaN or infinity takes no step, with all its elements"

    assert ("convention", words) in signature_of("SkipsTensors").notes
    assert {"nan_stays", "infinity_stays"} <= set(signature_of("SkipsTensors").exempt)
    assert "reaches others" in said("SkipsHalf", "infinity_stays")


def test_generator_of_its_own_is_chance_too() -> None:
    """Where steps are rounded by chance, from a generator the optimizer holds, nothing is asked that compares runs."""
    assert ["", ""] == [said("RoundsByItsGenerator", law, ("bfloat16", "float32")) for law in ("order", "as_read")]
    assert "order" not in signature_of("RoundsByItsGenerator").exempt


def test_decay_of_matrices_alone_is_said() -> None:
    """The kind of decay is that of matrices where vectors have none; and vectors are no proof that it was forgotten."""
    found = learnt("DecaysMatrices")

    words = "coupled (of tensors of two dimensions and more; vectors are not decayed)"
    assert ("coupled", words) == (found.described["weight_decay"], found.described["lift"]["decay"])
    assert "claimed" not in [held.source for held in found.held]


def test_decay_of_nothing_is_no_decay_of_matrices() -> None:
    """Where matrices are not decayed either, there is none."""
    found = learnt("ForgetsDecay")

    assert "none" == found.described["weight_decay"]
    assert "decay" not in found.described["lift"]


def test_decay_of_another_kind_is_said_in_words() -> None:
    """A rate of its own is none of the kinds that have a name: the first lines say what it does."""
    found = learnt("DecaysByItsOwnRate")

    assert "other" == found.described["weight_decay"]
    assert "shrinks by shrink * weight_decay of itself" in found.described["lift"]["decay"]


def test_average_that_begins_otherwise_is_a_mixture_still() -> None:
    """A lerp of a sum rounds by its own form, also where the first step is another; a decay that is off does not."""
    assert "" == said("BeginsWithTheGradient", "as_read")
    assert "is not what the rule read out of the code gives" in said("DecaysALittleLess", "as_read")


def test_second_rate_moves_where_the_first_is_zero() -> None:
    """Where another option is a rate too, an lr of zero does not say that nothing moves."""
    assert "" == said("RatesByShape", "resting_rate")


def test_steps_that_a_format_loses_are_no_zeros_that_stay() -> None:
    """Zeros whose steps are less than the smallest number of float16 stay there; those that have no step are found."""
    assert "" == said("ScalesByNorm", "zero_parameters", ("float16", "float32"))
    assert "is never moved" in said("NeverLeavesZero", "zero_parameters", ("float16",))


def test_table_with_an_entry_for_each_parameter_counts_each() -> None:
    """What is asked of missing gradients is asked of it; a table in which all count on as one is a convention."""
    assert learnt("CountsByParameter").counts_each
    assert "" == said("CountsByParameter", "late_parameters")
    assert not learnt("CountsAllAsOne").counts_each


def test_rate_that_is_set_in_relation_to_another_is_rounded_by_it() -> None:
    """A group is built with other rates than an optimizer of its own: a last digit may differ, and no more."""
    assert "" == said("RelativeToItsRate", "groups")
    assert "moves otherwise than alone" in said("RateOfTheFirstGroup", "groups")


def test_place_in_a_vector_is_a_matter_of_rounding() -> None:
    """Vector bodies and tails round otherwise, wherever a parameter lies; a decay that is less is no rounding."""
    formats = ("float64", "float32", "bfloat16")
    assert "" == said("InOneVector", "order", formats)
    assert "the order of the parameters" in said("DecaysTheFirstLess", "order", formats)


def test_constant_that_a_format_cannot_hold_is_not_asked_there() -> None:
    """Dividing by 1e-15 is dividing by zero in float16; in formats that hold it the step is held to the code's rule."""
    assert "" == said("DividesByAConstant", "as_read", ("float64", "float32", "float16"))
    assert "is not what the rule read out of the code gives" in said("LongerInBfloat16", "as_read", ("bfloat16",))


def test_step_that_leaves_every_bound_open_is_no_rule_of_the_catalogue() -> None:
    """A formula whose value rounding leaves in doubt where a minimum is taken is not said to be AdamW."""
    assert "relation" not in learnt("DividesByAConstant").described["proof"]


def test_gradient_that_is_read_later_is_not_swallowed() -> None:
    """Of NaN in a gradient that no step of a short run reads, nothing is said."""
    assert not [words for _, words in signature_of("ReadsLater").notes if "NaN" in words and "gradient" in words]
    assert "" == said("ReadsLater", "nan_stays")


def test_state_that_begins_late_is_not_shown_as_a_number() -> None:
    """No formula is shown that has the value of one run in the place of state."""
    lift = learnt("EverySecond").described["lift"]

    assert "" == lift["formula"]
    assert "state that does not begin with the first step: average" == lift["stopped_by"]


def test_whole_number_that_is_no_symbol_is_as_it_was_read() -> None:
    """What was read where an option is -1 says nothing of a schedule that changes it, and something of all else."""
    assert len(signature_of("Decreases").option("total").values) > 1
    assert "" == said("Decreases", "as_read", ("float64", "float32", "bfloat16"))
    assert "read out of the code" in said("DecreasesInBfloat16", "as_read", ("bfloat16",))


def test_stages_that_options_set_are_decoupled_and_no_number_of_the_codes_own() -> None:
    """The share that decays is said of each stage; where stages end at a sum of options, no option is missing."""
    right, wrong = learnt("InStages").described["lift"], learnt("InStagesOfItsOwn").described["lift"]

    assert right["decay"].startswith("decoupled, at a rate of its own: the parameter shrinks by {")
    assert wrong["decay"].startswith("entangled")
    words = "takes other steps from about step 13 on, a number that is no option"
    assert words in [said for _, said in signature_of("InStagesOfItsOwn").notes]
    assert not [said for _, said in signature_of("InStages").notes if "a number that is no option" in said]


def test_who_waits_for_a_parameter_without_a_gradient_is_found_where_no_rule_is_read() -> None:
    """A coarser run tells rounding from steps that are not taken, of the elements that are compared alone."""
    assert "" == ASKED.said("LongAsItsParameter", "absent_gradients")
    assert "because another parameter has no gradient" in ASKED.said("StopsAtNone", "absent_gradients", ("float64",))
    assert "because another parameter has no gradient" in ASKED.said("StopsAtNone", "absent_gradients", ("float32",))
