"""Penalties: gradients by differentiation, and the weight_decay that is solved for."""

from __future__ import annotations

import pytest
import sympy
from sympy import Abs, sign

from verifier import rules
from verifier.equality.normal import equal
from verifier.families.facts import coupled
from verifier.penalty import ELASTIC_NET, L1, L2, Penalty, lam, ratio, rescaled, w, weight_decay
from verifier.rule import Rule, transition
from verifier.rules.symbols import lr

DECAYING = [name for name in rules.names() if any(s.name == "weight_decay" for s in rules.get(name).hyper)]
COUPLED = [name for name in DECAYING if coupled(rules.get(name))]
DECOUPLED = [name for name in DECAYING if name not in COUPLED]


def test_gradients_come_from_differentiation() -> None:
    """The negative gradient of lam*w^2 is -2*lam*w, that of lam*|w| is -lam*sign(w)."""
    assert -2 * lam * w == L2.negative_gradient
    assert -lam * sign(w) == L1.negative_gradient
    assert lam * (ratio * sign(w) + 2 * w * (1 - ratio)) == ELASTIC_NET.gradient


@pytest.mark.parametrize("name", COUPLED)
def test_coupled_decay_is_an_l2_penalty_of_half_its_strength(name: str) -> None:
    """weight_decay = 2*lam is solved for, not typed in, for every rule that decays through the gradient."""
    assert 2 * lam == weight_decay(rules.get(name), L2).value


@pytest.mark.parametrize("name", DECOUPLED)
def test_decoupled_decay_is_no_l2_penalty(name: str) -> None:
    """No value reproduces the penalty: two runs need different ones."""
    solution = weight_decay(rules.get(name), L2)

    assert solution.value is None
    assert solution.witness[0]["weight_decay"] != solution.witness[1]["weight_decay"]


@pytest.mark.parametrize(
    ("name", "penalty"),
    [*((name, L1) for name in DECAYING), *((name, ELASTIC_NET) for name in ("sgd", "adam", "adamw"))],
)
def test_no_weight_decay_is_an_l1_penalty(name: str, penalty: Penalty) -> None:
    """No value reproduces lam*|w|, nor an elastic net with some of it."""
    solution = weight_decay(rules.get(name), penalty)

    assert solution.value is None
    assert solution.settled


def test_decoupled_and_coupled_decay_of_plain_sgd_are_the_same_rescaled_by_lr() -> None:
    """theta * (1 - lam) is SGD's decay with weight_decay = lam / lr; with momentum, or in Adam, nothing is."""
    assert lam / lr == rescaled(rules.get("sgd")).value
    for name in ("sgd_momentum", "sgd_nesterov", "adam", "rmsprop"):
        assert rescaled(rules.get(name)).value is None
        assert rescaled(rules.get(name)).settled


def test_a_wrong_value_is_refuted() -> None:
    """weight_decay = lam, the mistake of forgetting the 2, does not reproduce the penalty."""
    rule = rules.get("adam")
    once, decay = transition(rule)[rule.theta], rule.symbol("weight_decay")
    penalised = once.xreplace({decay: sympy.Integer(0), rule.grad: rule.grad + L2.at(rule.theta)})

    assert equal(once.xreplace({decay: lam}), penalised, rule.hyper).witness is not None
    assert equal(once.xreplace({decay: 2 * lam}), penalised, rule.hyper).proved


def test_a_penalty_of_another_power_changes_the_answer() -> None:
    """Nothing is keyed on L2: lam/2*w^2 asks for weight_decay = lam, lam*w^4 for none, 3*lam*w^2 for 6*lam."""
    sgd = rules.get("sgd")

    assert lam == weight_decay(sgd, Penalty("half", lam * w**2 / 2)).value
    assert 6 * lam == weight_decay(sgd, Penalty("thrice", 3 * lam * w**2)).value
    assert weight_decay(sgd, Penalty("quartic", lam * w**4)).witness
    assert Abs(w) not in weight_decay(sgd, L2).value.free_symbols


def test_a_rule_without_decay_has_nothing_to_solve_for() -> None:
    """KeyError names what the rule has."""
    rule: Rule = rules.get("rprop")

    with pytest.raises(KeyError, match="rprop has no 'weight_decay'"):
        weight_decay(rule, L2)
