"""The state machine of an optimizer's life: it holds of a right one, and finds what breaks in the middle of a life."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from verifier import rules
from verifier.auditing.life import machine, reference
from verifier.auditing.probe import Held, learn
from verifier.auditing.request import Request

FEW = hypothesis.settings(
    max_examples=25,
    stateful_step_count=12,
    database=None,
    deadline=None,
    derandomize=True,
    phases=(hypothesis.Phase.generate,),
    suppress_health_check=list(hypothesis.HealthCheck),
)


EVERYTHING = {
    "add_group", "change", "clear", "copied", "freeze_or_thaw", "idle", "move", "resume", "several", "skipped", "step",
}  # fmt: skip


def lived(target: str, rule: str = "") -> Any:
    """The machine of one class, held to the rules found of it, or to the one named."""
    found = learn(Request(target))
    place, _, name = target.partition(":")
    assert found.signature is not None
    held = found.held
    if rule:
        of = rules.get(rule)
        held = (Held(of, "declared", {}, frozenset(s.name for s in of.state)),)
    return machine(replace(found.signature, build=getattr(importlib.import_module(place), name)), held=held)


def events(life: Any) -> set[str]:
    """The names of what happened in the lives of a machine, once they were lived."""
    run_state_machine_as_test(life, settings=FEW)
    happened: set[str] = life.happened
    return happened


@pytest.mark.parametrize("target", ["tests.broken.optimizers:Right", "torch.optim:SGD", "torch.optim:AdamW"])
def test_right_optimizers_live_through_everything(target: str) -> None:
    """Whatever happens in its life, each parameter moves as it would alone; and everything happens."""
    assert EVERYTHING == events(lived(target))


def test_steps_are_held_to_the_rule() -> None:
    """Of AdamW every step is also compared with the rule's enclosure: it is known, and its state can be read."""
    found = learn(Request("torch.optim:AdamW"))
    assert found.signature is not None

    assert "adamw" == getattr(reference(found.signature, found.held, found.signature.defaults), "name", "")


@pytest.mark.parametrize("name", ["DecaysLate", "MovesWrongly"])
def test_what_is_wrong_alone_too_leaves_the_rule(name: str) -> None:
    """A mistake that a lonely optimizer of the class makes as well is seen by the rule, unless a later load tells."""
    with pytest.raises(AssertionError, match=r"leaves the rule adamw|moves otherwise than it would alone"):
        run_state_machine_as_test(
            lived(f"tests.broken.more:{name}", "adamw"), settings=hypothesis.settings(FEW, max_examples=400)
        )


@pytest.mark.parametrize(
    "name",
    [
        "more:IgnoresFoundInf",
        "more:KeepsById",
        "LeaksOption",
        "ResetsOnSave",
        "ResetsOnLoad",
        "CountsIdleSteps",
        "DecaysAbsent",
        "ForgetsAddedGroups",
    ],
)
def test_mistakes_show_in_the_middle_of_a_life(name: str) -> None:
    """A mistake that needs several events to show is found."""
    with pytest.raises(AssertionError, match="but should be"):
        run_state_machine_as_test(
            lived(f"tests.broken.{name if ':' in name else f'optimizers:{name}'}"),
            settings=hypothesis.settings(FEW, max_examples=400),
        )
