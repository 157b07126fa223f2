"""Law families: functions from a rule to a law, or to the reason why the family says nothing of it.

What a family needs to know of a rule (is its decay coupled? how does it scale?) is computed from the rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from verifier.families import closed, decay, motion, symmetry
from verifier.law import Inapplicable, Law, refuted
from verifier.rule import Rule

Family = Callable[[Rule], Law | Inapplicable]

FAMILIES: dict[str, Family] = {
    "zero_gradient": closed.zero_gradient,
    "first_step": closed.first_step_law,
    "first_state": closed.first_state,
    "step": motion.step,
    "step_blind": motion.step_blind,
    "decay": partial(closed.n_steps, kind="decay"),
    "constant_gradient": partial(closed.n_steps, kind="constant_gradient"),
    "penalty": decay.penalty,
    "penalty_any": decay.penalty_enclosed,
    "not_a_penalty": partial(decay.not_a_penalty, name="not_a_penalty"),
    "not_l1": partial(decay.not_a_penalty, name="not_l1"),
    "fixed_point": decay.fixed_point,
    "scale": partial(symmetry.scale, name="scale"),
    "scale_parameters": partial(symmetry.scale, name="scale_parameters"),
    "scale_gradients": partial(symmetry.scale, name="scale_gradients"),
    "sign": symmetry.sign,
    "translation": symmetry.translation,
    "permutation": symmetry.permutation,
    "maximize": symmetry.maximize,
    "zero_lr": motion.zero_lr,
    "held_back": motion.held_back,
}
"""Families of one law a rule, in the order laws are written."""

EACH_STATE: dict[str, Callable[..., Law | Inapplicable]] = {"monotone": motion.monotone, "clamped": motion.clamp}
"""Families of one law a state variable."""


@cache
def examined(rule: Rule) -> dict[str, Law | Inapplicable]:
    """Every family asked of `rule`: its law, or why there is none."""
    found = {name: family(rule) for name, family in FAMILIES.items()}
    for name, family in EACH_STATE.items():
        for state in rule.state:
            found[f"{name}_{state.name}"] = family(rule, state)
    return found


def laws(rule: Rule) -> tuple[Law, ...]:
    """The laws of `rule`, each with goals to be proved; those with a follow-up become tests."""
    return tuple(law for law in examined(rule).values() if isinstance(law, Law))


def inapplicable(rule: Rule) -> dict[str, Inapplicable]:
    """The families that say nothing of `rule`, each with the reason."""
    return {name: found for name, found in examined(rule).items() if isinstance(found, Inapplicable)}


def refutes(rule: Rule, wrong: Rule) -> dict[str, bool]:
    """Law name -> whether the law, claimed of the mistaken rule `wrong`, is refuted with a witness."""
    return {law.name: refuted(law, wrong) for law in laws(rule)}
