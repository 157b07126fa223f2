"""What an optimizer does of itself is told: movement at rest, a preferred sign, options that do nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.broken.optimizers import Right
from verifier.auditing.probe import learn
from verifier.auditing.request import Request
from verifier.subjects import torch_symmetry
from verifier.subjects.torch_probe import Probe
from verifier.subjects.torch_signature import signature


class Climbs(Right):
    """What rests is moved: where a momentum is zero, its sign is taken to be positive."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return torch.where(grad >= 0, torch.ones_like(grad), -torch.ones_like(grad))


class MindsSign(Right):
    """Negative gradients count half."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return torch.where(grad < 0, grad / 2, grad)


class ForgetsOption(Right):
    """Nesterov's form is documented, and never taken."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, {**group, "nesterov": False})


class TurnsLate(Right):
    """From the fiftieth step on, steps are twice as long."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) * (1 if state["step"] < 50 else 2)


LOOKS = (torch_symmetry.moves_at_rest, torch_symmetry.prefers_a_sign, torch_symmetry.idle_options)


def told(build: type) -> list[str]:
    """What the three looks say of a class."""
    probe = Probe(signature(build))
    known = probe.examined()
    return [sentence for look in LOOKS for _, sentence in look(known, probe.shape, probe._taken)]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (Climbs, "moves parameters whose gradients have all been zero"),
        (MindsSign, "is not symmetric"),
        (ForgetsOption, "no value of nesterov changed anything"),
    ],
)
def test_says_what_an_optimizer_does_of_itself(build: type, words: str) -> None:
    """Each habit is told of the optimizer that has it."""
    assert [] != [sentence for sentence in told(build) if words in sentence]


def test_says_when_steps_become_others() -> None:
    """A number of steps that no option sets, and from which on the rule is another, is told with the target."""
    notes = [sentence for _, sentence in learn(Request(f"{__name__}:TurnsLate")).signature.notes]

    assert ["takes other steps from about step 50 on, a number that is no option"] == [n for n in notes if "other" in n]


def test_says_nothing_of_one_that_does_not() -> None:
    """A right optimizer rests without gradients, has no preferred sign, and every option of it acts."""
    assert [] == told(Right)
