"""Law families: every law of every rule is proved, reads well, and is computed from the rule."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
import sympy

from verifier import check, rules
from verifier.equality.normal import Status, equal
from verifier.families import EACH_STATE, FAMILIES, examined, inapplicable, laws
from verifier.families.closed import solve_run
from verifier.families.facts import coupled, decoupled_factor, parity, scaling
from verifier.law import Inapplicable, Law, N, prove, refuted
from verifier.mutants import mutants
from verifier.rule import Rule
from verifier.rules.symbols import beta1, beta2, eps, g, lr, theta, weight_decay


def law(rule: Rule, name: str) -> Law:
    """The law of `rule` called `name`."""
    found = examined(rule)[name]
    assert isinstance(found, Law), found
    return found


@pytest.mark.parametrize("name", rules.names())
def test_every_law_of_every_rule_is_proved(name: str) -> None:
    """No law is undecided or refuted; a family that does not apply says why."""
    rule = rules.get(name)

    assert {} == {law.id: proof for law in laws(rule) if (proof := prove(law)).status is not Status.PROVED}
    assert all(why.reason for why in inapplicable(rule).values())
    assert len(examined(rule)) == len(FAMILIES) + len(EACH_STATE) * len(rule.state)


@pytest.mark.parametrize("name", rules.names())
def test_every_follow_up_is_source_that_calls_checks_that_exist(name: str) -> None:
    """Bodies parse, stay within the line length, and name only the check module, the subject and the case."""
    for found in laws(rules.get(name)):
        if found.follow_up is None:
            continue
        ast.parse(f"cases(rule, {found.follow_up.cases})")
        tree = ast.parse("\n".join(found.follow_up.body))
        assert all(len(line) <= 112 for line in found.follow_up.body), found.id
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "check":
                assert hasattr(check, node.attr), f"{found.id}: check.{node.attr}"
        assigned = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        assert read <= assigned | {"check", "subject", "case", "abs"}, found.id


@pytest.mark.parametrize(
    ("name", "law_name", "claim"),
    [
        ("sgd", "zero_gradient", "g = 0  =>  theta_1 = theta * (1 - lr * weight_decay)"),
        ("adamw", "zero_gradient", "g = 0  =>  theta_1 = theta * (1 - lr * weight_decay)"),
        ("rprop", "zero_gradient", "g = 0  =>  theta_1 = theta"),
        ("adamw", "first_step", "theta_1 = theta * (1 - lr * weight_decay) - lr * g_1 / (|g_1| + eps)"),
        ("radam", "first_step", "theta_1 = theta - lr * (g_1 + weight_decay * theta)"),
        ("sgd", "decay", "g_k = 0  =>  theta_n = theta * (1 - lr * weight_decay)^n"),
        ("adam", "constant_gradient", "g_k = g  =>  theta_n = theta - lr * n * g / (|g| + eps)"),
        ("sgd", "fixed_point", "g = h * theta - b  =>  theta_star = b / (h + 2 * lam)"),
        ("adam", "penalty", "step(g, 2 * lam) = step(g + 2 * lam * theta, 0)"),
        ("adam_amsgrad", "monotone_max_exp_avg_sq", "max_exp_avg_sq_t >= max_exp_avg_sq_{t-1}"),
        ("rprop", "clamped_step_size", "step_size_min <= step_size_t and step_size_t <= step_size_max"),
    ],
)
def test_what_laws_claim(name: str, law_name: str, claim: str) -> None:
    """The formulas are derived; these are what a person would have derived by hand."""
    assert claim == law(rules.get(name), law_name).claim


def test_side_conditions_are_part_of_the_law() -> None:
    """Without a gradient AdamW divides zero by eps: the law holds where eps is not zero, and says so."""
    assert ("eps != 0",) == law(rules.get("adamw"), "zero_gradient").where


@pytest.mark.parametrize(
    ("name", "law_name", "mistake"),
    [
        ("adamw", "zero_gradient", "coupled_decay"),
        ("sgd", "zero_gradient", "decay_sign"),
        ("adam", "first_step", "eps_inside_root"),
        ("adam", "first_state", "unweighted_exp_avg"),
        ("adam", "step", "late_exp_avg_sq"),
        ("sgd", "decay", "decay_twice"),
        ("adam", "constant_gradient", "uncorrected_beta2"),
        ("adam", "penalty", "undecayed_exp_avg_sq"),
        ("adam", "fixed_point", "decoupled_decay"),
        ("sgd", "not_l1", "decay_l1"),
        ("adamw", "not_a_penalty", "coupled_decay"),
        ("sgd", "sign", "decay_absolute"),
        ("sgd", "translation", "relative_step"),
        ("adam", "scale_gradients", "eps_squared"),
        ("adamw", "zero_lr", "decay_without_lr"),
        ("adam_amsgrad", "monotone_max_exp_avg_sq", "maximum_missing_max_exp_avg_sq"),
        ("rprop", "clamped_step_size", "step_size_past_step_size_max"),
        ("radam", "held_back", "threshold_low"),
    ],
)
def test_each_family_rejects_a_mistake(name: str, law_name: str, mistake: str) -> None:
    """A family that could fail nothing would prove nothing: each refutes a rule with a mistake in it."""
    rule = rules.get(name)
    (wrong,) = (m for m in mutants(rule) if m.name == f"{name}__{mistake}")

    if law_name == "not_a_penalty":  # coupled decay is an L2 penalty: solved for, where AdamW's is not
        assert Status.REFUTED == prove(law(rule, law_name), wrong).status
    assert refuted(law(rule, law_name), wrong)


def test_facts_follow_the_lines_not_the_name() -> None:
    """Renaming a rule changes nothing; editing its decay changes what its decay is."""
    adamw, adam = rules.get("adamw"), rules.get("adam")
    renamed = replace(adamw, name="adam")

    assert (False, True) == (coupled(renamed), coupled(adam))
    assert 1 - lr * weight_decay == decoupled_factor(renamed)
    fully = replace(adamw, step=((theta, theta * (1 - weight_decay)), *adamw.step[1:]))
    assert 1 - weight_decay == decoupled_factor(fully)
    assert decoupled_factor(adam) is None


def test_scaling_is_found_by_dimensional_analysis() -> None:
    """Adam's lr has theta's dimension and eps the gradient's; RAdam mixes a step with eps and one without."""
    weights = scaling(rules.get("adam"), theta=1, grad=0)
    gradients = scaling(rules.get("adam"), theta=0, grad=1)

    assert weights is not None and gradients is not None
    assert (1, 0, -1) == (weights[lr], weights[eps], weights[weight_decay])
    assert (0, 1, 1) == (gradients[lr], gradients[eps], gradients[weight_decay])
    assert scaling(rules.get("radam"), theta=0, grad=1) is None
    assert isinstance(examined(rules.get("radam"))["scale_gradients"], Inapplicable)


def test_parity_of_moments() -> None:
    """First moments are odd in (theta, g), second moments even."""
    found = parity(rules.get("adam"))

    assert found is not None
    assert {"exp_avg": -1, "exp_avg_sq": 1} == {s.name: sign for s, sign in found.items()}


def test_closed_forms_of_moments_are_solved_for() -> None:
    """Under a constant gradient the moments are (1 - beta^n) times their limit, by induction on n."""
    adam = rules.get("adam")
    solved = solve_run(adam, {adam.grad: g, weight_decay: sympy.Integer(0)})
    named = {s.name: e for s, e in solved.items()}

    assert equal(named["exp_avg"], (1 - beta1**N) * g, adam.hyper).proved
    assert equal(named["exp_avg_sq"], (1 - beta2**N) * g**2, adam.hyper).proved
    assert equal(named["theta"], theta - N * lr * g / (sympy.Abs(g) + eps), adam.hyper).proved


def test_a_rule_of_ones_own_gets_its_laws() -> None:
    """Families ask nothing of a rule but its lines: Lion, which torch has not, has proved laws too."""
    m, u = sympy.symbols("m u", real=True)
    lion = Rule(
        name="lion",
        cite="Chen et al. 2023, Algorithm 2, arXiv:2302.06675",
        theta=theta,
        grad=g,
        hyper={
            lr: sympy.Interval(0, 1),
            beta1: sympy.Interval.Ropen(0, 1),
            beta2: sympy.Interval.Ropen(0, 1),
            weight_decay: sympy.Interval(0, 1),
        },
        state={m: sympy.Integer(0)},
        step=(
            (u, beta1 * m + (1 - beta1) * g),
            (theta, theta - lr * (sympy.sign(u) + weight_decay * theta)),
            (m, beta2 * m + (1 - beta2) * g),
        ),
    )

    assert {Status.PROVED} == {prove(found).status for found in laws(lion)}
    assert "g = 0  =>  theta_1 = theta * (1 - lr * weight_decay)" == law(lion, "zero_gradient").claim
    assert "theta_T(c * g) = theta_T(g)" == law(lion, "scale_gradients").claim
    assert isinstance(examined(lion)["penalty"], Inapplicable)
    assert len(mutants(lion)) >= 8
