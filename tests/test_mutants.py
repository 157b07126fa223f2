"""Mutants: each is a mistake somebody could make, named in a sentence, and certainly not the rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from verifier.mutants import MISTAKES, Mistake, differs, mutant, mutants, says
from verifier.normal import Status, equal
from verifier.rule import Rule, transition
from verifier.rules import get, names


@pytest.mark.parametrize("name", names())
def test_every_rule_has_mutants(name: str) -> None:
    """Each rule can suffer several mistakes, each with a name of its own and a sentence."""
    found = mutants(get(name))
    assert len(found) >= 5
    assert len({wrong.name for wrong in found}) == len(found)
    assert all(says(wrong) for wrong in found)


def test_coupled_decay_makes_adam_of_adamw() -> None:
    """The mistake a fused Adam once shipped: AdamW with Adam's decay is Adam, by proof."""
    adam, adamw = get("adam"), get("adamw")
    wrong = mutant(adamw, MISTAKES["coupled_decay"])
    assert wrong is not None
    ours, theirs = transition(wrong), transition(adam)
    assert [equal(ours[s], theirs[s], adam.hyper).status for s in theirs] == [Status.PROVED] * 3


def test_decoupling_plain_sgd_is_no_mistake() -> None:
    """For SGD without momentum the two decays are one rule, so the edit is not a mutant."""
    assert "sgd__decoupled_decay" not in {wrong.name for wrong in mutants(get("sgd"))}
    assert "sgd_momentum__decoupled_decay" in {wrong.name for wrong in mutants(get("sgd_momentum"))}


def test_an_edit_that_changes_nothing_is_no_mutant() -> None:
    """Rewriting a line into an equal one is not a mistake."""
    rule = get("sgd")

    def rewritten(rule: Rule) -> Rule:
        (d, first), (theta, second) = rule.step
        return replace(rule, step=((d, first), (theta, second.expand() + d - d)))

    assert not differs(rule, rewritten(rule))
    assert mutant(rule, Mistake("same", "nothing is wrong", lambda rule: rule)) is None
