"""The known mistakes: each is different from its rule, is named, and is rejected by some law."""

from __future__ import annotations

import pytest

from verifier import rules
from verifier.equality.normal import Status
from verifier.families import laws, refutes
from verifier.law import prove
from verifier.mutants import Mutant, differs, mutants
from verifier.rule import transition


@pytest.mark.parametrize("name", (*rules.names(), *rules.published()))
def test_every_mutant_is_certainly_different_and_says_why(name: str) -> None:
    """A mutant's step or start differs from the rule's at an exact point; its name and sentence are its own."""
    rule = rules.get(name)
    found = mutants(rule)

    assert len(found) >= 8
    assert len(found) == len({m.name for m in found}) == len({m.says for m in found})
    for wrong in found:
        assert wrong.name.startswith(f"{name}__")
        assert wrong.says
        assert set(wrong.hyper) <= set(rule.hyper)
        assert set(wrong.state) == set(rule.state)


def test_a_rule_is_no_mutant_of_itself() -> None:
    """A rewriting that means the same is not told from the rule."""
    rule = rules.get("adamw")
    same = Mutant(**{f: getattr(rule, f) for f in rule.__dataclass_fields__}, says="nothing")

    assert not differs(rule, same)


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("adamw", "coupled_decay"),
        ("adam", "decoupled_decay"),
        ("adamw", "decay_twice"),
        ("adamw", "decay_sign"),
        ("adamw", "decay_without_lr"),
        ("adamw", "decay_after"),
        ("adam", "eps_inside_root"),
        ("adadelta", "eps_outside_root"),
        ("adam", "eps_missing"),
        ("adam", "uncorrected_beta1"),
        ("adam", "corrections_swapped"),
        ("adam", "step_ahead"),
        ("adamw", "step_stuck"),
        ("radam", "step_ahead_rho"),
        ("adan", "turned_pre_grad"),
        ("adam", "beta1_beta2_swapped"),
        ("sgd_momentum", "dampened_first_step"),
        ("sgd_nesterov", "nesterov_missing"),
        ("adam", "late_exp_avg"),
        ("adam", "undecayed_exp_avg_sq"),
        ("adamw", "decayed_exp_avg_sq"),
        ("adam_amsgrad", "maximum_missing_max_exp_avg_sq"),
        ("adam_amsgrad", "corrected_max_exp_avg_sq"),
        ("adam", "unsquared_exp_avg_sq"),
        ("adam", "unweighted_exp_avg"),
        ("adam", "ascends"),
        ("rprop", "prev_unbranched"),
        ("adagrad", "zero_initial_sum"),
        ("radam", "threshold_low"),
        ("lion", "early_exp_avg_for_update"),
        ("lion", "unsigned_theta"),
        ("adabelief", "stale_exp_avg_for_exp_avg_var"),
        ("qhadam", "both_nu1_update"),
        ("adan", "unweighted_diff_by_beta2_ahead"),
        ("adan", "first_pre_grad"),
        ("adan", "diff_from_zero"),
    ],
)
def test_the_classic_mistakes_are_among_them(name: str, mistake: str) -> None:
    """The mistakes people make, by name."""
    assert f"{name}__{mistake}" in {m.name for m in mutants(rules.get(name))}


def test_coupled_decay_in_adamw_is_adam() -> None:
    """AdamW with coupled decay takes Adam's step: the transformation is the mistake it names."""
    (wrong,) = (m for m in mutants(rules.get("adamw")) if m.name == "adamw__coupled_decay")
    adam = rules.get("adam")

    assert transition(adam)[adam.theta] == transition(wrong)[wrong.theta]


@pytest.mark.parametrize("name", ["sgd", "sgd_momentum", "adamw", "rprop", "signum", "qhm"])
def test_some_law_rejects_every_mutant(name: str) -> None:
    """For each mistake there is a law whose proof fails, with a witness."""
    rule = rules.get(name)

    for wrong in mutants(rule):
        assert any(refutes(rule, wrong).values()), wrong.name


def test_a_rejected_mutant_comes_with_a_witness() -> None:
    """The refutation names the point and both values there."""
    rule = rules.get("adamw")
    (wrong,) = (m for m in mutants(rule) if m.name == "adamw__coupled_decay")
    (law,) = (law for law in laws(rule) if law.name == "zero_gradient")

    proof = prove(law, wrong)

    assert Status.REFUTED == proof.status
    assert {"theta", "lr", "weight_decay", "eps"} <= set(proof.witness)
    assert " is not " in proof.difference
