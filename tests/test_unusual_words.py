"""Options that act under a word, or that a switch hides while they are small, are understood; mistakes are found."""

from __future__ import annotations

import pytest

from tests.asked import Asked
from tests.unusual_words import ClipsByWord, Sorts
from verifier.subjects.torch_signature import signature

ASKED = Asked("tests.unusual_words")
said = ASKED.said


@pytest.mark.parametrize(
    ("right", "wrong", "law", "words"),
    [
        ("ClipsByWord", "ClipsNothing", "bounds", "clip_value changes no step, however low it is"),
        ("SignOfCentred", "SignOfCentredAtLeast", "acting_rates", "acts as 0, though 0.9 does not"),
    ],
)
def test_what_acts_under_a_word_or_in_the_state_is_no_mistake(right: str, wrong: str, law: str, words: str) -> None:
    """A bound acts where a word lets it; a small momentum acts in the state, if in no sign."""
    assert "" == said(right, law)
    assert words in said(wrong, law)


def test_bound_of_which_no_step_makes_use_at_the_values_known_is_undecided() -> None:
    """Code that names a bound and is never reached may act: nothing is said of it."""
    assert "" == said("ClipsByCall", "bounds")


def test_default_of_none_is_a_word_where_the_code_compares_it_with_words() -> None:
    """None stays the default, and is passed on as it is; the class's own table of words is read."""
    option = signature(ClipsByWord).option("clip")

    assert (None, "value", "norm") == option.words
    assert option.plain(option.default) is None
    assert "norm" == option.plain(option.values[2])


def test_groups_that_a_class_makes_itself_follow_schedules() -> None:
    """A class that sorts a model into groups is no error, whatever is scheduled; one that follows no schedule is."""
    assert signature(Sorts).sorted_out().sorts
    assert not signature(ClipsByWord).sorted_out().sorts
    for law in ("schedule", "added_group", "determinism", "resume", "options_read", "switched_on"):
        assert "" == said("Sorts", law)
    assert "an option changed in param_groups has no effect" in said("SortsOnce", "schedule")
