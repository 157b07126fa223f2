"""Code named after a rule, with any one thing in its lines that should be another, is told so; other names are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sympy

from tests.test_audit_power import learnt, source
from tests.test_relatives import read
from verifier import rules
from verifier.conventions import ASPECTS
from verifier.lift.beyond import lone
from verifier.lift.lifted import lift
from verifier.lift.matching import candidates
from verifier.lift.relatives import Relative
from verifier.lift.slipped import slipped
from verifier.mistakes.anywhere import numbers_anywhere, slips_anywhere
from verifier.mutants import made
from verifier.rule import Rule


def found(rule: Rule, named: str) -> Relative | None:
    """What code that performs `rule` is told to be when its class has this name."""
    code = replace(read(rule), target=f"mine.py:{named}")
    return slipped(code, candidates(code))


def slip(name: str, says: str) -> Rule:
    """A rule with the slip that is said so."""
    rule = rules.get(name)
    return made(rule, next(one.edit for one in slips_anywhere(rule) if one.edit.says == says))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("adamax", "beta2 stands in theta where beta1 should"),
        ("adamax", "|d| + beta2 * exp_inf + eps stands in exp_inf where max(beta2 * exp_inf, |d| + eps) should"),
        ("adamax", "the_step * sqrt(1 - beta2^t) stands in theta where the_step should"),
        ("radam", "rho_inf - 3 stands in rect where rho_inf - 4 should"),
        ("radam", "rho - 4 stands in rect where rho - 2 should"),
        ("radam", "1 / (1 - beta2) - 1 stands in rho_inf where 2 / (1 - beta2) - 1 should"),
        ("nadam", "mu stands in theta where mu_next should"),
        ("adagrad", "1 - lr_decay * (t - 1) stands in clr where 1 + lr_decay * (t - 1) should"),
        (
            "adadelta",
            "d stands in acc_delta where delta should",
        ),
        (
            "rmsprop_centered",
            "1 - alpha stands in grad_avg where alpha should",
        ),
    ],
)
def test_one_thing_in_the_place_of_another_is_told(name: str, says: str) -> None:
    """The words say what stands where, in a class named after the rule; in one of another name nothing is said."""
    wrong = slip(name, says)

    related = found(wrong, f"My{name.partition('_')[0]}")

    assert related is not None and related.wrong is not None
    assert says == related.wrong.says
    assert related.proof.proved
    assert found(wrong, "Mine") is None


def test_a_number_in_the_place_of_another_is_told() -> None:
    """The number is one that the code has and the rule has not."""
    rule = rules.get("nadam")
    number = sympy.Rational(9, 10)
    wrong = made(rule, next(iter(numbers_anywhere(rule, [number]))).edit)

    related = found(wrong, "NAdam")

    assert related is not None and related.wrong is not None
    assert "0.9 stands in mu where" in related.wrong.says


@pytest.mark.parametrize(
    "says",
    [
        "sign(exp_avg) stands in theta where exp_avg should",
        "exp_avg + g stands in theta where exp_avg should",
        "sqrt(t) * the_step stands in theta where the_step should",
    ],
)
def test_what_a_word_in_the_name_may_mean_is_told_where_there_is_none(says: str) -> None:
    """A class called AdamW, or nothing at all, that is AdamW but for one place; SignAdamW may mean its sign."""
    rule = rules.get("adamw")
    wrong = made(rule, next(one.edit for one in slips_anywhere(rule, far=True) if one.edit.says == says))

    for name in ("AdamW", "MyAdamW3", "Opt7", "Optimizer"):
        related = found(wrong, name)
        assert related is not None and related.wrong is not None
        assert says == related.wrong.says
    for name in ("SignAdamW", "Momentum", "Trainer"):
        assert found(wrong, name) is None


def test_a_name_written_out_is_the_rule_s() -> None:
    """RectifiedAdam is RAdam."""
    assert found(slip("radam", "rho_inf - 3 stands in rect where rho_inf - 4 should"), "RectifiedAdam") is not None


def test_a_class_of_no_name_must_have_all_options_of_a_rule_of_many() -> None:
    """Few options are those of many rules: nothing says that SGD is meant."""
    rule = rules.get("sgd")
    wrong = made(rule, next(one.edit for one in slips_anywhere(rule)))

    assert found(wrong, "SGD") is not None
    assert found(wrong, "Opt7") is None


def test_a_number_in_the_place_of_the_count_of_steps_is_told() -> None:
    """Bias corrections that are those of the second step, whatever the step."""
    rule = rules.get("adamw")
    wrong = made(rule, next(iter(numbers_anywhere(rule, [], [sympy.Integer(2)]))).edit)

    related = found(wrong, "AdamW")

    assert related is not None and related.wrong is not None
    assert "2 stands in" in related.wrong.says and related.wrong.says.endswith("where t should")


def test_what_somebody_does_on_purpose_is_no_slip() -> None:
    """RAdam rectified from rho > 4 on is published so, whatever stands where."""
    rule = rules.get("radam")
    edits = [edit for aspect in ASPECTS for edit in aspect.conventions(rule)]

    assert "threshold_low" in {edit.name for edit in edits}
    for edit in (edit for edit in edits if edit.name in ("threshold_low", "uncorrected")):
        assert found(made(rule, edit), "RAdam") is None


def test_a_name_that_begins_many_others_is_asked_for_whole() -> None:
    """Averages of squared moments make AdaMomentum of Adam, which is published: only what is called Adam is told."""
    rule = rules.get("adam")
    line = next(i for i, (x, _) in enumerate(rule.step) if x.name == "exp_avg_sq")
    moment = sympy.Symbol("exp_avg", real=True)
    step = list(rule.step)
    step[line] = (step[line][0], step[line][1].xreplace({sympy.Symbol("d", real=True): moment}))
    wrong = replace(rule, step=tuple(step))

    for other in ("AdaMomentum", "AdamPlus", "FastAdam", "AdamP", "Mine"):
        assert found(wrong, other) is None
    for name in ("Adam", "MyAdam", "BuggyAdam2", "adam_optimizer", "Nested.AdamFromScratch"):
        related = found(wrong, name)
        assert related is not None and related.wrong is not None
        assert "exp_avg" in related.wrong.says


CLIPS = {
    "norm": "p.grad.mul_(torch.clamp(group['bound'] / (p.grad.norm() + 1e-6), max=1.0))",
    "branch": "p.grad.mul_(group['bound'] / p.grad.norm() if p.grad.norm() > group['bound'] else 1.0)",
    "value": "p.grad.clamp_(-group['bound'], group['bound'])",
}


def clipping(tmp_path: Path, how: str, line: str = "", becomes: str = "") -> str:
    """AdamW as a plain loop that clips gradients, with a line written otherwise."""
    text = source("AdamWLoop").replace("weight_decay=1e-2):", "weight_decay=1e-2, bound=1.0):")
    text = text.replace("weight_decay=weight_decay)", "weight_decay=weight_decay, bound=bound)")
    state = "                state = self.state[p]\n"
    text = text.replace(state, f"                {CLIPS[how]}\n{state}")
    assert line in text
    file = tmp_path / "clipping.py"
    file.write_text(text.replace(line, becomes, 1) if line else text, encoding="utf-8")
    return f"{file}:AdamWLoop"


@pytest.mark.parametrize("how", [*CLIPS])
def test_the_rule_beneath_clipping_is_told(tmp_path: Path, how: str) -> None:
    """Where the bound is out of reach the code is AdamW, and nothing is wrong with it."""
    told = learnt(clipping(tmp_path, how))

    assert told.signature is not None
    assert any("with bound out of reach, adamw" in words for _, words in told.signature.notes)
    assert not [proof for proof in told.proofs if proof.mutant]


@pytest.mark.parametrize("how", [*CLIPS])
def test_a_mistake_beneath_clipping_is_told(tmp_path: Path, how: str) -> None:
    """The mistake has the words it has in code that does not clip."""
    line = "exp_avg_sq.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)"
    wrong = learnt(clipping(tmp_path, how, line, line.replace("1 - beta2", "1 - beta1")))

    (proof,) = wrong.proofs
    assert "adamw__fresh_beta1_exp_avg_sq" == proof.mutant
    assert "the code with bound out of reach is adamw, but exp_avg_sq weighs what is new" in proof.difference


def test_a_bound_that_is_a_part_of_the_step_is_never_out_of_reach(tmp_path: Path) -> None:
    """Code that scales every gradient to a norm has no step where that norm is out of reach."""
    text = clipping(tmp_path, "norm")
    file = Path(text.rpartition(":")[0])
    scaled = file.read_text(encoding="utf-8").replace("torch.clamp(", "torch.maximum(p.grad.norm(), ")
    file.write_text(scaled.replace("+ 1e-6), max=1.0)", "+ 1e-6))"), encoding="utf-8")

    read_ = lift(text)

    assert read_.steps is not None
    assert not lone(read_.steps, "bound")
