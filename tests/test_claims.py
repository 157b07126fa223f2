"""Each claim of the tutorial holds for torch, and each is violated by something broken in the way it speaks of."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sympy
import torch

from verifier import claims, families, penalty, rows, rules
from verifier.bench import ratio as bench_ratio
from verifier.bench.paths import Ratio
from verifier.claims import CLAIMS, Setting, settled, to_json
from verifier.contract_table import CONTRACTS
from verifier.evidence import Evidence, Strength, Verdict
from verifier.rows import Claim
from verifier.rules.symbols import d, g, theta, weight_decay
from verifier.tutorial import algebra as claim_algebra
from verifier.tutorial import exact as tutorial_exact
from verifier.tutorial import from_code as claim_lift
from verifier.tutorial import loop as tutorial


class Options(torch.optim.SGD):
    """SGD that may change its options before each step, as the mistakes below do."""

    def spoil(self) -> None:
        """The mistake."""

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step with the mistake, options put back afterwards."""
        before = [dict(group) for group in self.param_groups]
        self.spoil()
        loss = super().step(closure)
        for group, options in zip(self.param_groups, before, strict=True):
            group.update(options)
        return loss


class LrDoubled(Options):
    """SGD that steps twice as far as it should."""

    def spoil(self) -> None:
        """Doubles lr."""
        for group in self.param_groups:
            group["lr"] = 2 * group["lr"]


class DecayHalved(Options):
    """SGD that decays half as much as it should."""

    def spoil(self) -> None:
        """Halves weight_decay."""
        for group in self.param_groups:
            group["weight_decay"] = group["weight_decay"] / 2


class DecayForgotten(Options):
    """SGD that does not decay."""

    def spoil(self) -> None:
        """Drops weight_decay."""
        for group in self.param_groups:
            group["weight_decay"] = 0.0


class GroupsIgnored(Options):
    """SGD that decays every group by the first group's weight_decay."""

    def spoil(self) -> None:
        """Spreads the first group's weight_decay."""
        for group in self.param_groups:
            group["weight_decay"] = self.param_groups[0]["weight_decay"]


class BiasesSkipped(Options):
    """SGD that leaves tensors of one dimension undecayed."""

    def spoil(self) -> None:
        """Takes the decay of vectors out of their gradients beforehand."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim == 1 and p.grad is not None:
                    p.grad = p.grad - group["weight_decay"] * p.detach()


class Growing(Options):
    """SGD whose decay has the wrong sign."""

    def spoil(self) -> None:
        """Turns decay round."""
        for group in self.param_groups:
            group["weight_decay"] = -group["weight_decay"]


class SlowDecay(Options):
    """SGD that takes its time to decay."""

    def spoil(self) -> None:
        """Sleeps where there is decay."""
        if self.param_groups[0]["weight_decay"]:
            time.sleep(2e-3)


def broken(**classes: Any) -> SimpleNamespace:
    """torch.optim with some of its classes replaced."""
    return SimpleNamespace(**{name: getattr(torch.optim, name) for name in torch.optim.__all__} | classes)


def setting(optimizers: Any = torch.optim, **changes: Any) -> Setting:
    """What the claims are put to here: the CPU, seed 0."""
    usual = Setting(("cpu",), 0, optimizers, tutorial.l2, tutorial_exact.l1)
    return replace(usual, **changes)


@pytest.fixture(scope="module")
def torch_claims() -> dict[str, Claim]:
    """The claims settled for the torch that is installed."""
    return {claim.id: claim for claim in claims.settle(seed=3)}


@pytest.mark.parametrize("id", [id for id in CLAIMS if id != "claim.cost"])
def test_torch_keeps_the_claims(torch_claims: dict[str, Claim], id: str) -> None:
    """Every claim holds for torch.optim, with a sentence that says how."""
    claim = torch_claims[id]
    assert claim.verdict is Verdict.HELD, claim.detail
    assert claim.detail and claim.how and claim.strength


def test_mathematical_claims_are_proved(torch_claims: dict[str, Claim]) -> None:
    """What is pure algebra is proved for all values, and torch's part in it is seen besides."""
    for id in ("claim.gradient", "claim.l1", "claim.rescaled"):
        assert torch_claims[id].strength is Strength.PROVED
        assert "on cpu" in torch_claims[id].detail


def test_equivalence_is_qualified(torch_claims: dict[str, Claim]) -> None:
    """The claim of full equivalence names the coupled rules it holds for and a witness for each decoupled one."""
    detail = torch_claims["claim.equivalent"].detail
    for name in ("adamw", "adamw_amsgrad", "nadam_decoupled", "radam_decoupled"):
        assert f"{name} " in detail.partition("No one value")[2]
    assert "identical bits for 15 coupled rules" in detail


def test_smaller_is_qualified(torch_claims: dict[str, Claim]) -> None:
    """Smaller means the norm: the claim carries a quadratic on which one weight grows."""
    assert "one weight may grow" in torch_claims["claim.smaller"].detail


def slanted(lam: float, parameters: Iterable[torch.Tensor]) -> torch.Tensor:
    """lam/2 * sum of squares: the other convention, whose gradient is lam*w."""
    return tutorial.l2(lam / 2, parameters)


def smoothed(lam: float, parameters: Iterable[torch.Tensor]) -> torch.Tensor:
    """A smoothed L1, which is not the L1 that is claimed."""
    return lam * sum(((p**2 + 2.0**-10).sqrt().sum() for p in parameters), start=torch.zeros(()))


@pytest.mark.parametrize(
    ("id", "wrong"),
    [
        ("claim.vanilla", {"optimizers": broken(SGD=LrDoubled)}),
        ("claim.gradient", {"l2": slanted}),
        ("claim.l1", {"l1": smoothed}),
        ("claim.shrink", {"optimizers": broken(SGD=DecayHalved)}),
        ("claim.equivalent", {"optimizers": broken(SGD=DecayHalved)}),
        ("claim.equivalent", {"optimizers": broken(Adam=torch.optim.AdamW)}),
        ("claim.equivalent", {"optimizers": broken(AdamW=torch.optim.Adam)}),
        ("claim.rescaled", {"optimizers": broken(SGD=DecayHalved)}),
        ("claim.cost", {"optimizers": broken(SGD=SlowDecay)}),
        ("claim.all", {"optimizers": broken(SGD=BiasesSkipped)}),
        ("claim.all", {"optimizers": broken(SGD=DecayForgotten)}),
        ("claim.groups", {"optimizers": broken(SGD=GroupsIgnored)}),
        ("claim.smaller", {"optimizers": broken(SGD=DecayForgotten)}),
        ("claim.smaller", {"optimizers": broken(SGD=Growing)}),
    ],
)
def test_each_claim_can_fail(monkeypatch: pytest.MonkeyPatch, id: str, wrong: dict[str, Any]) -> None:
    """Something broken in the way the claim speaks of violates it, and the detail says where."""
    all_loops = tutorial.loops
    monkeypatch.setattr(tutorial, "loops", lambda *given: all_loops(*given)[:1])  # one is enough to fail
    claim = settled(id, setting(**wrong))
    assert claim.verdict is Verdict.VIOLATED, claim.detail
    assert claim.detail


def test_every_claim_has_something_that_breaks_it() -> None:
    """No claim of the table goes without a known mistake in the test above."""
    marker = test_each_claim_can_fail.pytestmark[0]  # type: ignore[attr-defined]
    assert set(CLAIMS) == {id for id, _ in marker.args[1]}


w = theta


@pytest.mark.parametrize(
    "refuted",
    [
        lambda: claim_algebra.gradient(claim_algebra.lam * w**2 / 2, w),
        lambda: claim_algebra.l1_gradient(claim_algebra.lam * w**2, w),
        lambda: claim_algebra.shrink(rewritten("sgd", g + 2 * weight_decay * theta)),
        lambda: claim_algebra.equivalent({"sgd": rewritten("sgd", g + weight_decay * theta / 2)}, l2())[0],
        lambda: claim_algebra.equivalent({"adamw": rules.get("adamw")}, l2())[0],
        lambda: claim_algebra.rescaled(rewritten("sgd", g - weight_decay * theta), *others()),
        lambda: claim_algebra.smaller(rewritten("sgd", g - weight_decay * theta), -l2()),
        lambda: claim_algebra.plain(rewritten("sgd", 2 * g + weight_decay * theta)),
    ],
)
def test_algebra_refutes_what_is_wrong(refuted: Callable[[], claim_algebra.Finding]) -> None:
    """Given a wrong penalty or a wrong rule, each derivation refutes the claim and names what it found instead."""
    finding = refuted()
    assert finding.verdict is Verdict.VIOLATED, finding.said


def rewritten(name: str, gradient: sympy.Expr) -> Any:
    """The rule with another line for the decayed gradient."""
    rule = rules.get(name)
    return replace(rule, step=((d, gradient), *rule.step[1:]))


def l2() -> sympy.Expr:
    """The L2 term of one weight."""
    return claim_algebra.l2_penalty(w)


def others() -> tuple[Any, Any]:
    """The rules for which rescaling does not serve."""
    return rules.get("sgd_momentum"), rules.get("adam")


@pytest.mark.parametrize("name", ["sgd", "sgd_nesterov", "adam", "rmsprop", "adamw"])
def test_the_decay_solved_for_agrees_with_the_whole_step(name: str) -> None:
    """Solving the one line that reads gradient and decay gives what solving the whole transition gives."""
    whole = penalty.weight_decay(rules.get(name)).value
    assert whole == claim_algebra.solved_decay(rules.get(name), l2())


def test_l1_has_no_weight_decay() -> None:
    """Solving for a decay equal to the L1 penalty gives none that is free of the weight, for any rule."""
    solution = claim_algebra.solved_decay(rules.get("sgd"), claim_algebra.l1_penalty(w))
    assert solution is None or w in solution.free_symbols


def test_a_lift_refutes_wrong_code() -> None:
    """Code that decays half as much, or apart from the gradient, is refuted from its own expressions."""
    halved = claim_lift.sgd_is_its_rule(broken(SGD=DecayHalved))
    apart = claim_lift.decays(broken(Adam=torch.optim.AdamW), ("adam",), "coupled")
    assert [finding.verdict for finding in halved] == [Verdict.VIOLATED] * 2
    assert "has decoupled decay, but should have coupled" in apart[0].said


def test_code_that_cannot_be_read_proves_nothing() -> None:
    """A class whose step cannot be followed leaves the claim to the exact runs, and takes its proof away."""

    class Hidden(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            """One step that no lift can follow: its numbers leave torch."""
            for group in self.param_groups:
                for p in group["params"]:
                    moved = p.detach().numpy() - group["lr"] * p.grad.numpy()
                    p.data = torch.from_numpy(np.asarray(moved, dtype=p.detach().numpy().dtype))

    claim = settled("claim.vanilla", setting(broken(SGD=Hidden)))
    assert claim.verdict is Verdict.HELD, claim.detail
    assert claim.strength is Strength.HELD


def row(law: str, verdict: Verdict, expected: str | None = None) -> Evidence:
    """An evidence row of one law."""
    return Evidence(law, "cpu-float32-foreach", verdict, Strength.HELD, expected_failure=expected, message="seen")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([row("sgd.first_step", Verdict.HELD)], Verdict.HELD),
        ([row("sgd.first_step", Verdict.HELD), row("sgd.first_step", Verdict.VIOLATED)], Verdict.VIOLATED),
        ([row("sgd.first_step", Verdict.HELD), row("sgd.first_step", Verdict.VIOLATED, "known")], Verdict.HELD),
        ([row("sgd.first_step", Verdict.UNTESTABLE)], Verdict.INCONCLUSIVE),
        ([row("sgd.first_step", Verdict.BROKEN)], Verdict.BROKEN),
        ([row("sgd.first_step", Verdict.HELD), row("adam.first_step", Verdict.VIOLATED)], Verdict.HELD),
        ([row("sgd.renamed", Verdict.HELD)], Verdict.INCONCLUSIVE),
    ],
)
def test_evidence_rows_decide_too(found: list[Evidence], verdict: Verdict) -> None:
    """A claim rests on the rows of its laws: one unlisted violation breaks it, listed ones are counted and named."""
    claim = settled("claim.vanilla", setting(rows=tuple(found)))
    assert claim.verdict is verdict, claim.detail
    assert set(claim.evidence) <= {"sgd.first_step"}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("proved", Verdict.HELD), ("refuted", Verdict.VIOLATED), ("undecided", Verdict.INCONCLUSIVE)],
)
def test_recorded_proofs_decide_too(tmp_path: Path, status: str, verdict: Verdict) -> None:
    """A claim rests on the proofs of an evidence file: a refuted law breaks it, undecided ones alone leave it open."""
    path = tmp_path / "run.jsonl"
    path.write_text(json.dumps({"kind": "proof", "law": "adam.not_l1", "status": status}) + "\n", encoding="utf-8")
    rows_, proofs = claims._recorded(path)
    claim = settled("claim.l1", setting(rows=rows_, proofs=proofs))
    assert claim.verdict is verdict, claim.detail
    assert claim.evidence == ("adam.not_l1",)


def test_the_laws_a_claim_rests_on_exist() -> None:
    """Every pattern of the tables names a law that is derived or a contract that is stated."""
    named = [law.name for name in ("sgd", "adamw") for law in families.laws(rules.get(name))]
    named += [row.name for row in CONTRACTS]
    patterns = {p for table in (claims.EVIDENCE, claims.PROOFS) for ps in table.values() for p in ps}
    assert {p.partition(".")[2] for p in patterns} <= set(named)


def test_without_a_device_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for CUDA where there is none, every claim is untestable: algebra alone says nothing of torch."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = claims.settle(device="cuda")
    assert {claim.verdict for claim in found} == {Verdict.UNTESTABLE}
    assert all("no CUDA device" in claim.detail for claim in found)


def test_a_claim_settled_on_one_device_names_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for all devices, the claim is settled where it can be and says where it was not run."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(claims, "CLAIMS", {"claim.vanilla": CLAIMS["claim.vanilla"]})
    (claim,) = claims.settle(device="all")
    assert claim.verdict is Verdict.HELD
    assert "not run: no CUDA device" in claim.detail


def test_a_check_that_breaks_is_not_a_violation() -> None:
    """An optimizer that cannot even be made is our trouble or its author's, and is called broken."""

    class Refusing:
        def __init__(self, *args: Any, **options: Any) -> None:
            raise TypeError("no such options")

    claim = settled("claim.all", setting(broken(SGD=Refusing)))
    assert claim.verdict is Verdict.BROKEN
    assert "no such options" in claim.detail


def test_noise_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time ratio that its control covers settles nothing about cost."""
    flat, wide = Ratio(1.01, 0.9, 1.1, 61), Ratio(1.0, 0.8, 1.2, 61)
    monkeypatch.setattr(bench_ratio, "measure", lambda *given, **options: (flat, wide, 1.5))
    claim = settled("claim.cost", setting())
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "too noisy to tell" in claim.detail


def test_claims_are_records(torch_claims: dict[str, Claim]) -> None:
    """A claim written as a record of the evidence file is read back the same."""
    for claim in torch_claims.values():
        assert claim == rows.parse(to_json(claim), "here")
