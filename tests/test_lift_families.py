"""Published steps over whole tensors: what code in use is told to be, and single lines of it written wrongly."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.wholes import Adafactor, Lamb, Muon, NovoGrad
from verifier.auditing import claimed, probe
from verifier.auditing.request import Request
from verifier.auditing.whole import SHAPES
from verifier.lift import lift
from verifier.lift.matrix_families import FAMILIES, recognised
from verifier.lift.matrix_search import Form


def shown(target: Any, options: dict[str, Any] | None = None, **arguments: Any) -> Form | None:
    """How code is recognised by what is read of a tall and a wide matrix."""
    reads = [lift(target, shapes=[shape], **arguments) for shape in SHAPES]
    return recognised(reads, options or {}, getattr(target, "__name__", str(target)))


@pytest.mark.parametrize(
    ("target", "rule"),
    [("torch.optim:Adafactor", "adafactor"), ("torch.optim:Muon", "muon"), (Adafactor, "adafactor"), (Muon, "muon"),
     (NovoGrad, "novograd"), (Lamb, "lamb")],
)  # fmt: skip
def test_code_in_use_has_no_mistake(target: Any, rule: str) -> None:
    """What torch ships and what papers print is of its family, and by ways in use alone."""
    found = shown(target)

    assert found is not None
    assert (rule, None) == (found.rule, found.wrong)
    assert "not proved" in found.sentence


@pytest.mark.parametrize(
    ("target", "options", "mistake"),
    [
        (Adafactor, {"beta1": 0.9}, "beta1 is on, and the step is one without it"),
        (Adafactor, {"scale_parameter": False}, "scale_parameter is off, and the step is one with it"),
        (Adafactor, {"relative_step": 0.0}, "relative_step is off, and the step is one with it"),
        (Lamb, {"bias_correction": False}, "bias_correction is off, and the step is one with it"),
        (Lamb, {"grad_averaging": False}, "grad_averaging is off, and the step is one with it"),
        (Lamb, {"grad_averaging": True, "bias_correction": True}, ""),
        (Adafactor, {"beta1": None, "scale_parameter": True, "relative_step": 1.0}, ""),
    ],
)
def test_options_that_the_step_does_not_follow_are_named(target: Any, options: dict[str, Any], mistake: str) -> None:
    """What is on and not followed, or off and followed all the same; nothing of options that are followed."""
    found = shown(target, options)

    assert found is not None
    assert mistake == found.mistake


def test_a_switched_on_average_is_followed() -> None:
    """The average of updates that beta1 switches on is read with it on."""
    found = shown(Adafactor, {"beta1": 0.9}, args={"beta1": 0.9})

    assert found is not None
    assert found.wrong is None


class LaterDecay(Adafactor):
    """Counts the decay of its averages from the second step on."""

    def fresh(self, step: int, group: Any) -> Any:
        return (step + 1) ** group["decay_rate"]


class OtherLeast(Adafactor):
    """Takes the wrong one of its two small numbers."""

    def least(self, group: Any) -> Any:
        return group["eps"][0]


class BySum(Adafactor):
    """Divides by a sum that should be a mean."""

    def estimate(self, row: torch.Tensor, col: torch.Tensor) -> torch.Tensor:
        return row.unsqueeze(-1) * col / row.sum()


class Lengthening(Adafactor):
    """Turns the bound on its update round."""

    def clipped(self, update: torch.Tensor, bound: float) -> torch.Tensor:
        return update / (self.rms(update) / bound).clamp(max=1.0)


class OnceSquared(Muon):
    """Leaves a product out of its polynomial."""

    def quintic(self, x: torch.Tensor) -> torch.Tensor:
        gram = x @ x.T
        return 3.4445 * x + (-4.775 * gram + 2.0315 * gram) @ x


class TurnedAhead(Muon):
    """Looks ahead where it should not, and the other way round."""

    def ahead(self, g: torch.Tensor, buffer: torch.Tensor, group: Any) -> torch.Tensor:
        return buffer if group["nesterov"] else g.lerp(buffer, group["momentum"])


class ByWidth(Muon):
    """Scales wide matrices where it should scale tall ones."""

    def factor(self, p: torch.Tensor) -> float:
        return float(max(1.0, p.shape[1] / p.shape[0]) ** 0.5)


class NovoGradOfNorms(NovoGrad):
    """Averages norms, and takes the root of them once more."""

    def size(self, g: torch.Tensor) -> torch.Tensor:
        return g.norm()


class NovoGradNormalised(NovoGrad):
    """Divides weight decay by the norm of the gradient."""

    def scaled(self, p: torch.Tensor, root: torch.Tensor, group: Any) -> torch.Tensor:
        return (p.grad + group["weight_decay"] * p) / root


class LambOfUndecayed(Lamb):
    """Its trust ratio divides by the norm of Adam's step, before weight decay is added."""

    def below(self, update: Any, adam: Any, m: Any) -> Any:
        return adam


class LambWithinOne(Lamb):
    """Its trust ratio is at most one, whatever the option says."""

    def most(self, group: Any) -> float:
        return 1.0


@pytest.mark.parametrize(
    ("target", "mistake"),
    [
        (LaterDecay, "ahead"),
        (OtherLeast, "other_eps"),
        (BySum, "sum"),
        (Lengthening, "lengthened"),
        (OnceSquared, "gram_once"),
        (ByWidth, "wider"),
        (NovoGradOfNorms, "root_begun"),
        (NovoGradNormalised, "decay_normalised"),
        (LambOfUndecayed, "capped_of_undecayed"),
        (LambWithinOne, "fixed_1"),
    ],
)
def test_a_wrong_line_is_named(target: Any, mistake: str) -> None:
    """One line that nobody writes so on purpose is told by its name."""
    found = shown(target)

    assert found is not None and found.wrong is not None
    assert mistake == found.wrong.name
    assert found.mistake in found.sentence


def test_an_option_that_is_on_and_not_followed_is_a_mistake() -> None:
    """A step that is in use, but for the option that is off, is wrong while it is on."""
    found = shown(TurnedAhead, {"nesterov": True})
    plain = shown(TurnedAhead, {})

    assert found is not None and plain is not None
    assert "nesterov is on, and the step is one without it" == found.mistake
    assert plain.wrong is None


def test_what_is_of_no_family_is_not_told_to_be() -> None:
    """Code that only calls itself by a family's name, or steps element by element, is none of it."""

    class MuonInName(torch.optim.Adam):
        """Not Muon at all."""

    reads = [lift(MuonInName, shapes=[shape]) for shape in SHAPES]

    assert recognised(reads, {}, "MuonInName") is None
    assert ("", []) == claimed.over_tensors(reads, {}, "MuonInName")


def test_steps_of_a_length_are_muon_of_nobody_but_who_says_so() -> None:
    """A gradient over its norm is a step of its own; a class that names Muon should make matrices orthogonal."""

    class Normalised(Muon):
        def quintic(self, x: torch.Tensor) -> torch.Tensor:
            return x

        def factor(self, p: torch.Tensor) -> float:
            return 1.0

    reads = [lift(Normalised, shapes=[shape]) for shape in SHAPES]
    said = recognised(reads, {}, "MuonNormalised")

    assert recognised(reads, {}, "Normalised") is None
    assert said is not None and said.wrong is not None and said.wrong.name == "not_iterated"


def test_every_way_of_a_slot_is_told_apart_by_words() -> None:
    """A mistake has words of its own, and a state variable's slot has a way in use."""
    for family in FAMILIES:
        for slot in family.slots:
            assert any(not way.wrong for way in slot.ways), (family.rule, slot.name)
            assert all(way.says for way in slot.ways if way.wrong), (family.rule, slot.name)


def test_an_audit_finds_the_mistake_of_a_matrix() -> None:
    """A class that is right on vectors and wrong on matrices is held to the rule of its family."""
    proofs = probe.learn(Request(f"{__name__}:BySum")).proofs

    assert [("adafactor", "refuted", "adafactor__sum")] == [(p.rule, p.status, p.mutant) for p in proofs]
