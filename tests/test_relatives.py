"""Code that follows no rule, but nearly: a known mistake is named, and what is done on purpose is no mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sympy

from tests.test_audit_power import DECAY, learnt, source
from verifier import rules
from verifier.auditing.claimed import holds, named
from verifier.auditing.probe import Found
from verifier.conventions import ABSENT, ASPECTS, OTHERS, SHIPPED, shipped, thresholds
from verifier.lift import apart
from verifier.lift.lifted import Lift
from verifier.lift.matching import candidates, nearest
from verifier.lift.relatives import Relative, relative
from verifier.mistakes import MISTAKES
from verifier.mutants import made, mutants, says
from verifier.rule import Rule

BIAS2 = 'bias2 = 1 - beta2 ** state["step"]'
SECOND = "exp_avg_sq.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)"
DENOM = 'denom = (exp_avg_sq.sqrt() / math.sqrt(bias2)).add_(group["eps"])'


def read(rule: Rule, **defaults: float) -> Lift:
    """What a lift of code that performs `rule` would be."""
    own = Rule(**{name: getattr(rule, name) for name in Rule.__dataclass_fields__} | {"name": "code"})
    return Lift("code", "forloop", "lifted", own, hyper={s.name: 0.9 for s in rule.hyper} | defaults)


def related(rule: Rule, **defaults: float) -> Relative | None:
    """What code that performs `rule` is found to be."""
    code = read(rule, **defaults)
    return relative(code, candidates(code))


def written(tmp_path: Path, line: str, becomes: str) -> Found:
    """What an audit learns of AdamW as a plain loop with one line written otherwise."""
    text = source("AdamWLoop")
    assert line in text
    file = tmp_path / "mine.py"
    file.write_text(text.replace(line, becomes, 1), encoding="utf-8")
    return learnt(f"{file}:AdamWLoop")


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("adamw", "ahead_beta2"),
        ("adamw", "fresh_beta1_exp_avg_sq"),
        ("adamw", "decay_lr_squared"),
        ("adamw", "eps_multiplied"),
        ("adamw", "ascends"),
        ("adamax", "unforgotten_exp_inf"),
        ("adadelta", "upside_down_delta"),
        ("adadelta", "lr_in_acc_delta"),
        ("sgd_nesterov", "unfactored_ahead"),
        ("nadam", "power_mu_product"),
        ("rmsprop_centered", "added_grad_avg"),
        ("lion", "early_exp_avg_for_update"),
        ("lion", "kept_beta1_exp_avg"),
        ("lion", "unsigned_theta"),
        ("qhm", "reversed_nu_update"),
        ("qhadam", "beta1_for_beta2"),
        ("adabelief", "fresh_beta1_exp_avg_var"),
        ("adan", "without_diff_ahead"),
        ("adan", "turned_pre_grad"),
        ("adamw", "step_stuck"),
        ("radam", "step_ahead_rho"),
        ("adan", "diff_from_zero"),
        ("adan", "turned_diff_by_beta2_ahead"),
        ("nadam", "forgotten_mu_product"),
        ("nadam", "step_ahead_mu_next"),
        ("adagrad", "step_added_clr"),
        ("nadam_decoupled", "correction_for_mu_next_mu_product"),
        ("nadam_decoupled", "correction_for_mu_product"),
        ("nadam", "unweighted_mu_theta"),
        ("ademamix", "unweighted_exp_avg_slow_by_alpha_update"),
        ("laprop", "constant_beta1"),
        ("adabelief_rectified", "fresh_beta1_exp_avg_var"),
        ("adamod", "larger_for_smaller_theta"),
        ("adamod", "fresh_beta2_exp_avg_lr"),
        ("aggmo", "averaged_buffers"),
        ("aggmo", "reversed_buffers"),
        ("aggmo", "beta2_for_all"),
        ("aggmo", "summed_buffers"),
        ("diffgrad", "exp_sign_friction"),
        ("diffgrad", "unkept_previous_grad"),
        ("padam", "exponent_theta"),
        ("padam_amsgrad", "minimum_max_exp_avg_sq"),
        ("adamw_amsgrad", "minimum_max_exp_avg_sq"),
        ("madgrad", "square_root_z"),
        ("madgrad", "unweighted_s"),
        ("madgrad", "reversed_theta"),
    ],
)
def test_a_known_mistake_is_found_in_code_that_follows_no_rule(name: str, mistake: str) -> None:
    """The rule it means to be and the mistake are named, with a proof that it is that mistake."""
    wrong = next(m for m in mutants(rules.get(name)) if m.name == f"{name}__{mistake}")

    found = related(wrong, **{s.name: 0.9 for s in rules.get(name).hyper})

    assert found is not None
    assert (name, f"{name}__{mistake}") == (found.of, found.wrong.name if found.wrong else "")
    assert found.proof.proved


@pytest.mark.parametrize(
    ("name", "conventions"),
    [
        ("adamw", ("eps_hat",)),
        ("adamw", ("decay_after",)),
        ("adamw", ("eps_hat", "decay_after")),
        ("radam", ("eps_corrected",)),
        ("radam_decoupled", ("eps_corrected", "threshold_included")),
        ("adamw", ("uncorrected", "eps_inside_root", "decay_without_lr")),
        ("adamw", ("decay_implicit_after",)),
        ("sgd_momentum", ("averaged_momentum_from_zero",)),
        ("sgd_momentum", ("decoupled_decay",)),
        ("sgd_nesterov", ("averaged_momentum_ahead", "decoupled_decay")),
        ("rmsprop", ("initial_one", "eps_inside_root")),
        ("adamax", ("eps_after_maximum",)),
        ("adan", ("decay_implicit_after",)),
        ("lion", ("coupled_decay",)),
        ("adabelief", ("eps_accumulated",)),
        ("adabelief", ("eps_inside_root", "coupled_decay")),
        ("yogi", ("uncorrected",)),
        ("adabelief_rectified", ("threshold_included", "eps_accumulated")),
        ("adamod", ("eps_hat",)),
        ("diffgrad", ("eps_hat", "decoupled_decay")),
        ("madgrad", ("eps_not_in_lr",)),
        ("adamod", ("corrected_after_bound", "coupled_decay")),
    ],
)
def test_what_somebody_does_on_purpose_is_no_mistake(name: str, conventions: tuple[str, ...]) -> None:
    """Conventions are named, however many there are at once, and nothing is wrong."""
    rule: Rule = rules.get(name)
    for wanted in conventions:
        edit = next(e for aspect in ASPECTS for e in aspect.conventions(rule) if e.name == wanted)
        rule = made(rule, edit)

    found = related(rule)

    assert found is not None
    assert found.wrong is None
    assert set(conventions) == {edit.name for edit in found.conventions}


@pytest.mark.parametrize(
    ("line", "becomes", "mistake"),
    [
        (DENOM, DENOM.replace("sqrt()", "sqrt_()"), "exp_avg_sq is overwritten by sqrt(exp_avg_sq)"),
        (DENOM, "denom = exp_avg_sq.sqrt_().div_(math.sqrt(bias2)).add_(group['eps'])", "/ sqrt(1 - beta2^t) + eps"),
    ],
)
def test_what_is_computed_in_place_by_mistake_is_named(tmp_path: Path, line: str, becomes: str, mistake: str) -> None:
    """State that becomes what should be computed of it is told as that, though no rule is written so."""
    relation = written(tmp_path, line, becomes).described["proof"]["relation"]

    assert "adamw, but exp_avg_sq is overwritten by" in relation
    assert mistake in relation


def test_a_mistake_beside_conventions_is_found() -> None:
    """The rule is the one with the conventions in it, and the mistake is apart from them."""
    rule: Rule = rules.get("adamw")
    for wanted in ("eps_hat", "decay_after"):
        rule = made(rule, next(e for aspect in ASPECTS for e in aspect.conventions(rule) if e.name == wanted))
    wrong = made(rule, next(e for transform in MISTAKES for e in transform(rule) if e.name == "ahead_beta2"))

    found = related(wrong)

    assert found is not None and found.wrong is not None
    assert "adamw_variant__ahead_beta2" == found.wrong.name
    assert {"eps_hat", "decay_after"} == {edit.name for edit in found.conventions}


def test_code_that_is_no_rule_with_one_mistake_is_left_alone() -> None:
    """Another optimizer, and one with a mistake nobody knows, are neither accused nor explained."""
    adamw = rules.get("adamw")
    x, value = adamw.step[1]
    lion = (x, sympy.sign(value))
    cubed = (x, value + adamw.grad**3)

    assert related(replace(adamw, step=(adamw.step[0], lion, *adamw.step[2:]))) is None
    assert related(replace(adamw, step=(adamw.step[0], cubed, *adamw.step[2:]))) is None


def test_an_option_that_the_class_has_is_no_convention_to_go_without() -> None:
    """Code without the option goes without decay; code that has it and does not read it does nothing on purpose."""
    adamw = rules.get("adamw")
    without = made(adamw, next(e for aspect in ASPECTS for e in aspect.conventions(adamw) if e.name == "decay_missing"))

    found = related(without)

    assert found is not None and found.wrong is None
    assert ("weight_decay",) == found.absent


def test_a_rate_that_weighs_what_is_new_is_a_convention() -> None:
    """Of a rate with a small default, 1 - rate is what is kept; of one near 1 it is a mistake."""
    rule = rules.get("rmsprop")
    wrong = next(m for m in mutants(rule) if m.name == "rmsprop__reversed_square_avg")
    small, large = related(wrong, alpha=0.01), related(wrong, alpha=0.99)

    assert small is not None and small.wrong is None
    assert large is not None and large.wrong is not None


def test_every_convention_is_somebodys_and_is_met_in_some_rule() -> None:
    """No name in the tables is out of date, and none stands for a mistake as well."""
    seen, slips = set(), set()
    for name in (*rules.names(), *rules.published()):
        for aspect in ASPECTS:
            seen |= {edit.name for edit in aspect.conventions(rules.get(name))}
            slips |= {edit.name for edit in aspect.slips(rules.get(name))}

    assert not seen & slips
    assert set(SHIPPED) | set(ABSENT) | (set(OTHERS) - {"reversed"}) <= seen
    assert "" == shipped("ascends") and "Loshchilov" in shipped("decay_without_lr")


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("ahead_beta2", "the code has beta2^(t + 1) where adamw has beta2^t"),
        ("fresh_beta1_exp_avg_sq", "the code has 1 - beta1 where adamw has 1 - beta2"),
        ("decay_twice", "the code has (1 - lr * weight_decay)^2 where adamw has 1 - lr * weight_decay"),
        ("late_exp_avg", ""),
    ],
)
def test_what_differs_is_shown_as_small_as_it_gets(mistake: str, words: str) -> None:
    """One part of the code, and what the rule has in its place; nothing where lines only stand in another order."""
    adamw = rules.get("adamw")
    wrong = next(m for m in mutants(adamw) if m.name == f"adamw__{mistake}")

    assert words == apart.difference(wrong, adamw)


def test_expressions_that_are_alike_do_not_differ() -> None:
    """The order of a sum is no difference; a part that is there twice over is one."""
    x, y, z = sympy.symbols("x y z")

    assert apart.unlike(x + y, y + x) is None
    assert (y**2, z**2) == apart.unlike(x + sympy.sqrt(1 + y**2), x + sympy.sqrt(1 + z**2))


def test_the_nearest_rule_branches_only_where_the_code_does() -> None:
    """Code without a rectified branch is nearer to Adam than to RAdam, and the difference is said in words."""
    adamw = rules.get("adamw")
    other = (*adamw.step[:2], (adamw.step[2][0], adamw.step[2][1] + adamw.grad**4), *adamw.step[3:])

    found = nearest(read(replace(adamw, step=other)))

    assert found is not None
    assert "adamw" == found.rule
    assert "g^4, which adamw has not" in found.apart


def test_the_nearest_rule_is_that_of_like_formulas_not_names() -> None:
    """Momentum that is an average, in a class with Adam's names, is nearest to momentum."""
    rule = rules.get("sgd_momentum")
    names = {"momentum": "beta1", "momentum_buffer": "exp_avg", "dampening": "beta2"}
    renamed = {s: sympy.Symbol(names.get(s.name, s.name), real=True) for s in (*rule.hyper, *rule.state)}
    (first, line), *rest = rule.step
    lines = [(first, line + rule.grad**4), *rest]
    code = Rule(
        **{name: getattr(rule, name) for name in Rule.__dataclass_fields__}
        | {
            "hyper": {renamed[s]: domain for s, domain in rule.hyper.items()},
            "state": {renamed[s]: start for s, start in rule.state.items()},
            "step": tuple((renamed.get(x, x), sympy.sympify(e).xreplace(renamed)) for x, e in lines),
        }
    )

    found = nearest(read(code))

    assert found is not None
    assert "sgd_momentum" == found.rule


def test_a_mistake_in_words() -> None:
    """The rule and the mistake, as a person says it; nothing of a mistake that the rule cannot have."""
    assert "adamw, but weight decay is applied twice" == says(rules.get("adamw"), "decay_twice")
    assert "" == says(rules.get("sgd"), "ahead_beta2")


@pytest.mark.parametrize(
    ("line", "becomes", "words"),
    [
        (BIAS2, BIAS2.replace('state["step"]', '(state["step"] + 1)'), "counts a step too many"),
        (SECOND, SECOND.replace("1 - beta2", "1 - beta1"), "1 - beta1 instead of 1 - beta2"),
    ],
)
def test_an_audit_holds_code_to_the_rule_it_has_one_mistake_in(
    line: str, becomes: str, words: str, tmp_path: Path
) -> None:
    """With no rule declared: the rule is claimed, its refutation is a row, and the first lines say what is wrong."""
    found = written(tmp_path, line, becomes)

    assert ("adamw", "claimed") == (found.described["rule"], found.described["rule_source"])
    assert words in found.described["proof"]["relation"]
    assert [("adamw", "claimed")] == [(held.rule.name, held.source) for held in found.held]
    assert ["refuted"] == [proof.status for proof in found.proofs]


@pytest.mark.parametrize(
    ("line", "becomes", "words"),
    [
        (DENOM, 'denom = (exp_avg_sq / bias2 + group["eps"]).sqrt_()', "eps is added under the corrected root"),
        (DECAY, 'p.div_(1 + group["lr"] * group["weight_decay"])', "divides the weight by 1 + lr * weight_decay"),
    ],
)
def test_an_audit_names_a_convention(line: str, becomes: str, words: str, tmp_path: Path) -> None:
    """The first lines say by which convention the code is the rule it is; only a mistake is held against it."""
    found = written(tmp_path, line, becomes)

    assert words in found.described["proof"]["relation"]
    assert not any(held.source == "claimed" for held in found.held)
    assert not any(proof.status == "refuted" for proof in found.proofs)


def test_a_class_named_after_another_rule_has_a_note() -> None:
    """The name is compared without words that say nothing; a class of the rule's own family has no note."""
    adam = {"rule": "adam", "rule_source": "matched", "weight_decay": "coupled", "proof": {}}
    none = {"rule": "x", "rule_source": "lifted", "weight_decay": "none", "proof": {}}

    assert "is named adamw, and is adam" == named("pkg:MyAdamW", adam)
    assert "" == named("pkg:CustomAdam", adam)
    assert "no form of adamw that is known" in named("pkg:AdamW", none)
    assert "" == named("pkg:Lion", none)


def test_a_mistake_that_shows_where_nothing_decays_is_found() -> None:
    """Weights multiplied by lr * weight_decay vanish without weight decay too."""
    lion = rules.get("lion")
    wrong = next(m for m in mutants(lion) if m.name == "lion__decay_to_share")

    found = related(wrong)

    assert found is not None and found.wrong is not None
    assert "lion__decay_to_share" == found.wrong.name


def test_the_options_of_a_second_rule_go_by_their_usual_names() -> None:
    """adamw_lr and adamw_beta1 are AdamW's lr and beta1; such code is told of, and cannot be held to the rule."""
    wrong = next(m for m in mutants(rules.get("adamw")) if m.name == "adamw__ahead_beta2")
    other = {s: sympy.Symbol(f"adamw_{s.name}", real=True) for s in wrong.hyper if s.name in ("lr", "beta1")}
    named = replace(
        wrong,
        hyper={other.get(s, s): values for s, values in wrong.hyper.items()},
        step=tuple((x, sympy.sympify(e).xreplace(other)) for x, e in wrong.step),
    )

    found = related(named)

    assert found is not None and found.wrong is not None
    assert ("adamw", "adamw__ahead_beta2", True) == (found.of, found.wrong.name, found.renamed)
    assert not holds(found)


def test_a_mistake_in_one_branch_is_found(tmp_path: Path) -> None:
    """Code that is right for the one value of an option that it treats apart has the mistake all the same."""
    qhadam = rules.get("qhadam")
    wrong = next(m for m in mutants(qhadam) if m.name == "qhadam__both_nu1_update")
    nu1 = wrong.symbol("nu1")
    right, written_wrong = dict(qhadam.step), dict(wrong.step)
    branched = replace(
        wrong,
        step=tuple(
            (x, sympy.Piecewise((e, sympy.Ne(nu1, 1)), (right[x], True)) if e != right[x] else e)
            for x, e in written_wrong.items()
        ),
    )

    found = related(branched)

    assert found is not None and found.wrong is not None
    assert "qhadam__both_nu1_update" == found.wrong.name


@pytest.mark.parametrize("step", [10, 60])
def test_a_mistake_that_begins_late_is_found(tmp_path: Path, step: int) -> None:
    """Code that is AdamW until some step, and AdamW with a known mistake from then on, is told by that step."""
    found = written(tmp_path, BIAS2, f'{BIAS2} if state["step"] < {step} else 1.0')

    assert (
        f"adamw, but from step {step} on the bias correction 1 - beta2^t is left out"
        in found.described["proof"]["relation"]
    )
    assert "adamw" == found.described["rule"]
    assert [] == [words for _, words in found.signature.notes if "takes other steps" in words]


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("adamax", {"lr": "alpha", "beta1": "b1", "beta2": "b2", "eps": "epsilon"}),
        ("rmsprop", {"lr": "eta", "alpha": "rho", "eps": "epsilon", "weight_decay": "l2"}),
        ("sgd_nesterov", {"lr": "learning_rate", "momentum": "mu", "weight_decay": "wd"}),
    ],
)
def test_hyperparameters_may_go_by_other_names(name: str, own: dict[str, str]) -> None:
    """What a class calls lr, betas, eps and weight_decay is no difference, and hides no mistake."""
    rule = rules.get(name)
    wrong = next(m for m in mutants(rule) if m.name.endswith("__lr_squared"))

    decay = {own["weight_decay"]: 0.01} if "weight_decay" in own else {}

    plain, mistaken = (related(_named(one, own), **decay) for one in (rule, wrong))

    assert plain is not None and (name, None) == (plain.of, plain.wrong)
    assert mistaken is not None and mistaken.wrong is not None
    assert f"{name}__lr_squared" == mistaken.wrong.name


def _named(rule: Rule, own: dict[str, str]) -> Rule:
    """The rule with other names for hyperparameters."""
    other = {s: sympy.Symbol(own.get(s.name, s.name), real=True) for s in rule.hyper}
    return replace(
        rule,
        hyper={other[s]: values for s, values in rule.hyper.items()},
        state={s: sympy.sympify(e).xreplace(other) for s, e in rule.state.items()},
        step=tuple((x, sympy.sympify(e).xreplace(other)) for x, e in rule.step),
    )


@pytest.mark.parametrize("mistake", ["uncorrected_adapted", "uncorrected_beta1_out", "decay_without_lr_out"])
@pytest.mark.parametrize("included", [False, True])
def test_a_mistake_in_one_branch_of_radam_is_found(mistake: str, included: bool) -> None:
    """Of the two steps that RAdam takes one may be wrong, whichever of them the bound between them belongs to."""
    rule = rules.get("radam_decoupled")
    slips = [edit for aspect in ASPECTS for edit in aspect.slips(rule)]
    wrong = made(rule, next(edit for edit in slips if edit.name == mistake))
    if included:
        wrong = made(wrong, next(thresholds(wrong)))

    near = related(wrong)

    assert near is not None and near.wrong is not None
    assert f"radam_decoupled__{mistake}" == near.wrong.name


def test_a_default_in_the_place_of_its_option_is_named(tmp_path: Path) -> None:
    """eps is taken, and 1e-8 written where it should stand: AdamW but for that, and held to AdamW."""
    found = written(tmp_path, DENOM, "denom = (exp_avg_sq.sqrt() / math.sqrt(bias2)).add_(1e-8)")

    assert "adamw__constant_eps" == found.described["proof"]["mutant"]
    assert "1e-08 stands where eps should" in found.described["proof"]["relation"]
    assert [("adamw", "claimed")] == [(held.rule.name, held.source) for held in found.held]


def test_a_number_that_is_the_default_of_another_option_is_no_mistake(tmp_path: Path) -> None:
    """Where there is no option eps, its usual value is a number like any other."""
    text = source("AdamWLoop").replace(DENOM, "denom = (exp_avg_sq.sqrt() / math.sqrt(bias2)).add_(1e-8)")
    text = text.replace("eps=1e-8, weight_decay=1e-2", "weight_decay=1e-2, rho=1e-8").replace("eps=eps", "rho=rho")
    file = tmp_path / "mine.py"
    file.write_text(text, encoding="utf-8")

    assert "mutant" not in str(learnt(f"{file}:AdamWLoop").described["proof"].get("relation", ""))
    assert not learnt(f"{file}:AdamWLoop").described["proof"].get("mutant")


def test_a_first_moment_of_yogi_may_start_at_zero() -> None:
    """The paper's does; that of most implementations starts where the second moment does."""
    yogi = rules.get("yogi")
    zeroed = replace(yogi, state={s: 0 if s.name == "exp_avg" else initial for s, initial in yogi.state.items()})
    found = related(zeroed)

    assert found is not None and found.wrong is None
    assert ["zero_initial_exp_avg"] == [edit.name for edit in found.conventions]


def test_an_option_may_be_read_from_some_step_on_alone(tmp_path: Path) -> None:
    """What the code is before that step has no such option, and is read all the same."""
    later = f"{DENOM}\n                denom = denom if state['step'] > 7 else torch.ones_like(p)"

    assert written(tmp_path, DENOM, later).described["one_element"]
