"""The state machine of an optimizer's life: it holds of a right one, and finds what breaks in the middle of a life."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from verifier.auditing.collect import Request
from verifier.auditing.life import machine
from verifier.auditing.probe import learn

FEW = hypothesis.settings(
    max_examples=25,
    stateful_step_count=12,
    database=None,
    deadline=None,
    derandomize=True,
    phases=(hypothesis.Phase.generate,),
    suppress_health_check=list(hypothesis.HealthCheck),
)


def lived(target: str) -> Any:
    """The machine of one class."""
    found = learn(Request(target))
    place, _, name = target.partition(":")
    assert found.signature is not None
    return machine(replace(found.signature, build=getattr(importlib.import_module(place), name)))


@pytest.mark.parametrize("target", ["tests.broken.optimizers:Right", "torch.optim:SGD", "torch.optim:AdamW"])
def test_right_optimizers_live_through_everything(target: str) -> None:
    """Whatever happens in its life, each parameter moves as it would alone."""
    run_state_machine_as_test(lived(target), settings=FEW)


@pytest.mark.parametrize(
    "name", ["LeaksOption", "ResetsOnSave", "ResetsOnLoad", "CountsIdleSteps", "DecaysAbsent", "ForgetsAddedGroups"]
)
def test_mistakes_show_in_the_middle_of_a_life(name: str) -> None:
    """A mistake that needs several events to show is found."""
    with pytest.raises(AssertionError, match="but should be"):
        run_state_machine_as_test(
            lived(f"tests.broken.optimizers:{name}"), settings=hypothesis.settings(FEW, max_examples=400)
        )
