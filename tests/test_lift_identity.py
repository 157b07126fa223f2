"""Steps that read whole tensors, against rules declared over whole tensors: agreement is a labelled check."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import pytest
import torch

from verifier.auditing import claimed, probe
from verifier.auditing.request import Request
from verifier.equality.normal import Status
from verifier.equality.witness import Undecidable
from verifier.lift import expr, lift
from verifier.lift.exact import apart, exact
from verifier.lift.explain import explain
from verifier.lift.identity import POINTS, match
from verifier.lift.matrix_families import recognised


class Lamb(torch.optim.Optimizer):
    """LAMB, written for this test."""

    def __init__(self, params, lr: float = 1e-2, betas=(0.9, 0.999), eps: float = 1e-6, weight_decay: float = 0.01,
                 **more: float) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, **more})

    def trust(self, p: torch.Tensor, update: torch.Tensor, adam: torch.Tensor) -> torch.Tensor:
        return p.norm() / update.norm()

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
                state["step"] += 1
                m = state["exp_avg"].mul_(beta1).add_(p.grad, alpha=1 - beta1)
                v = state["exp_avg_sq"].mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                root = (v / (1 - beta2 ** state["step"])).sqrt() + group["eps"]
                adam = m / (1 - beta1 ** state["step"]) / root
                update = adam + group["weight_decay"] * p
                p.sub_(group["lr"] * self.trust(p, update, adam) * update)


class LambTrustingAdam(Lamb):
    """A trust ratio of the step before weight decay."""

    def trust(self, p: torch.Tensor, update: torch.Tensor, adam: torch.Tensor) -> torch.Tensor:
        return p.norm() / adam.norm()


class Lars(torch.optim.Optimizer):
    """LARS, written for this test."""

    def __init__(self, params, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 1e-4,
                 trust_coefficient: float = 0.001) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay,
                                  "trust_coefficient": trust_coefficient})  # fmt: skip

    def local(self, group: dict[str, Any], p: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return group["trust_coefficient"] * p.norm() / (g.norm() + group["weight_decay"] * p.norm())

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                scaled = group["lr"] * self.local(group, p, p.grad) * (p.grad + group["weight_decay"] * p)
                p.sub_(state["momentum_buffer"].mul_(group["momentum"]).add_(scaled))


class LarsWithoutDecay(Lars):
    """A local rate that leaves weight decay out of its denominator."""

    def local(self, group: dict[str, Any], p: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return group["trust_coefficient"] * p.norm() / g.norm()


def wrong_muon() -> type[torch.optim.Optimizer]:
    """torch's Muon with another factor for wide matrices than for tall ones: only the shape 3x2 shows it."""

    class MuonTransposed(torch.optim.Muon):
        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                for p in group["params"]:
                    if p.shape[0] > p.shape[1]:
                        p.grad = p.grad * 1.5
            return super().step(closure)

    return MuonTransposed


@pytest.mark.parametrize(
    ("target", "shapes", "rule"),
    [("torch.optim:Adafactor", [[2]], "adafactor"), ("torch.optim:Adafactor", [[2, 3]], "adafactor"),
     ("torch.optim:Muon", [[2, 3]], "muon"), ("torch.optim:Muon", [[3, 2]], "muon"), (Lamb, [[3]], "lamb"),
     (Lamb, [[2, 2]], "lamb")],
)  # fmt: skip
def test_agrees_with_its_rule(target: Any, shapes: list[list[int]], rule: str) -> None:
    """Every result of the generic step and of the first one equals the declared rule's at exact points, labelled."""
    identity = match(lift(target, shapes=shapes))

    assert identity is not None
    assert (rule, True, POINTS) == (identity.rule, identity.agrees, identity.points)
    assert Status.UNDECIDED == identity.status
    assert "checked at 8 exact points, not proved" in identity.sentence


def test_the_very_expressions_are_a_proof() -> None:
    """Where every result is the same expression no point is needed, and the claim is a proof."""
    identity = match(lift(Lars, shapes=[[2, 2]]))

    assert identity is not None
    assert ("lars", Status.PROVED, 0) == (identity.rule, identity.status, identity.points)


def test_both_implementations_of_adafactor_agree() -> None:
    """The foreach code of Adafactor agrees with the same rule."""
    identity = match(lift("torch.optim:Adafactor", "foreach", shapes=[[2, 2]]))

    assert identity is not None
    assert ("adafactor", True) == (identity.rule, identity.agrees)


@pytest.mark.parametrize(
    ("target", "shapes", "rule"),
    [(LambTrustingAdam, [[2, 2]], "lamb"), (LarsWithoutDecay, [[2, 2]], "lars"), (wrong_muon(), [[3, 2]], "muon")],
)
def test_a_mistake_is_refuted_at_a_point(target: Any, shapes: list[list[int]], rule: str) -> None:
    """One changed line parts the code from its rule, at a rational point that is shown with both values."""
    identity = match(lift(target, shapes=shapes))

    assert identity is not None
    assert (rule, Status.REFUTED) == (identity.rule, identity.status)
    assert identity.values[0] != identity.values[1]
    assert identity.witness is not None
    assert {"theta(0, 0)", "lr"} <= set(identity.witness)


def test_the_wrong_muon_is_right_on_wide_matrices() -> None:
    """What is only wrong for tall matrices agrees on a wide one: the shape is part of what was checked."""
    identity = match(lift(wrong_muon(), shapes=[[2, 3]]))

    assert identity is not None
    assert identity.agrees


def test_explain_says_what_kind_of_claim_it_is() -> None:
    """The explanation names rule, points, and that this is no proof; so does its JSON."""
    explanation = explain("torch.optim:Muon")

    assert "Rule: muon over whole tensors: checked at 8 exact points, not proved." in explanation.text
    assert {"rule": "muon", "status": "undecided", "exact_points": 8} == {
        k: v for k, v in explanation.to_json()["whole_tensors"].items() if k != "says"
    }


def test_exact_values_are_rational_until_a_root() -> None:
    """Sums, products and quotients of fractions stay fractions; an irrational root becomes a ball that holds it."""
    x = expr.sym("x")
    whole = expr.div(expr.add(x, expr.ONE), expr.const(3))

    rational, root = exact([whole, expr.sqrt(expr.add(x, expr.const(1)))], {x: Fraction(1, 2)})

    assert flint.fmpq(1, 2) == rational
    assert isinstance(root, flint.arb)
    assert not apart(root * root, flint.fmpq(3, 2))
    assert apart(root, flint.fmpq(5, 4))


def test_exact_evaluation_refuses_what_it_cannot_tell() -> None:
    """Division by zero, and a comparison of equal irrational numbers, have no certain value."""
    x = expr.sym("x")
    root = expr.sqrt(x)

    with pytest.raises(Undecidable, match="division by zero"):
        exact([expr.div(expr.ONE, x)], {x: Fraction(0)})
    with pytest.raises(Undecidable, match="may be equal"):
        exact([expr.compare("lt", expr.mul(root, root), expr.const(2))], {x: Fraction(2)})


def test_an_audit_says_how_far_it_was_checked() -> None:
    """What an audit tells of a rule over whole tensors is that points agree, and never that it was proved."""
    words, wrong = claimed.over_tensors([lift("torch.optim:Adafactor")], {}, "Adafactor")

    assert "adafactor over whole tensors: checked at 8 points, not proved" == words
    assert [] == wrong


class LambOneStepAhead(Lamb):
    """LAMB that counts one step too many."""

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if not self.state[p]:
                    self.state[p].update(step=1, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
        super().step(closure)


class LambClipped(Lamb):
    """LAMB whose trust ratio is bounded by an option."""

    def __init__(self, params, lr: float = 1e-2, betas=(0.9, 0.999), eps: float = 1e-6, weight_decay: float = 0.01,
                 most: float = 0.5) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, most=most)

    def trust(self, p: torch.Tensor, update: torch.Tensor, adam: torch.Tensor) -> torch.Tensor:
        return super().trust(p, update, adam).clamp(max=self.param_groups[0]["most"])


class LambWithEps(Lamb):
    """LAMB whose trust ratio cannot divide by zero."""

    def trust(self, p: torch.Tensor, update: torch.Tensor, adam: torch.Tensor) -> torch.Tensor:
        return p.norm() / (update.norm() + self.param_groups[0]["eps"])


@pytest.mark.parametrize(
    ("target", "mistake", "says"),
    [
        (LambTrustingAdam, "of_undecayed", ()),
        (LambOneStepAhead, "step_ahead", ()),
        (LambClipped, "", ("the trust ratio has a bound",)),
        (LambWithEps, "", ("eps added to the norm of the step",)),
    ],
)
def test_lamb_written_otherwise_is_told(target: Any, mistake: str, says: tuple[str, ...]) -> None:
    """Mistakes in the norms and in the step that they scale are named, and so is what is done on purpose."""
    near = recognised([lift(target, shapes=[[2, 2]])], {}, target.__name__)

    assert near is not None
    assert (mistake, says) == (near.wrong.name if near.wrong is not None else "", near.says)


def test_a_mistake_over_whole_tensors_is_a_finding() -> None:
    """An audit holds code that is LAMB but for a known mistake to LAMB; what is LAMB on purpose is no finding."""
    wrong = [proof.mutant for proof in probe.learn(Request(f"{__name__}:LambOneStepAhead")).proofs]
    right = [proof.mutant for proof in probe.learn(Request(f"{__name__}:LambWithEps")).proofs]

    assert ["lamb__step_ahead"] == wrong
    assert [] == right
