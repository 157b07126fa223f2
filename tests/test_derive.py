"""Derivations: everything that follows from a rule, as a person would write it."""

from __future__ import annotations

import re

import pytest

from verifier import derive, families, rules


@pytest.fixture(scope="module")
def adamw() -> derive.Derivation:
    """The derivation of AdamW."""
    return derive.derivation(rules.get("adamw"))


@pytest.mark.parametrize("name", ["sgd", "adam", "rprop"])
def test_a_derivation_prints_every_law_with_its_proof(name: str) -> None:
    """Each law's id, claim and proof status is there, once; so is why a family does not apply."""
    found = derive.derivation(rules.get(name))
    text = derive.text(found)

    for law in families.laws(rules.get(name)):
        assert 1 == text.count(f"{law.id}: "), law.id
        assert f"    {law.claim}\n" in text
    assert len(families.laws(rules.get(name))) == len(re.findall(r"^Proved: ", text, re.MULTILINE))
    for missing in found.inapplicable:
        assert f"    {missing}: " in text


def test_the_penalty_is_differentiated_and_the_decay_solved_for() -> None:
    """The negative gradient of L2 and the value of weight_decay stand in the text as they were derived."""
    text = derive.text(derive.derivation(rules.get("adam")))

    assert "L2: lam * w^2 for each weight; gradient 2 * lam * w; negative gradient -2 * lam * w" in text
    assert "L2: weight_decay = 2 * lam, solved in exp_avg" in text
    assert "L1: no weight_decay does it. With theta = 1 it would have to be 1/4" in text
    assert "weight decay of the rule: coupled" in text


def test_decoupled_decay_says_so_and_shows_why_no_penalty_is_like_it(adamw: derive.Derivation) -> None:
    """AdamW's decay is recognised, with its factor, and the two runs that no single value serves."""
    text = derive.text(adamw)

    assert "weight decay of the rule: decoupled: theta is first multiplied by 1 - lr * weight_decay" in text
    assert "L2: no weight_decay does it." in text
    assert "the same with weight_decay = lam / lr" in text


def test_a_rule_without_decay_has_no_penalty_section_but_its_laws() -> None:
    """Rprop decays nothing: nothing is solved for, and the text says none."""
    found = derive.derivation(rules.get("rprop"))

    assert () == found.penalties
    assert "weight decay of the rule: none" in derive.text(found)


def test_the_text_fits_a_terminal(adamw: derive.Derivation) -> None:
    """Prose is wrapped; only formulas may be longer."""
    prose = [line for line in derive.text(adamw).splitlines() if not line.startswith("    ")]

    assert max(len(line) for line in prose) <= 120


def test_latex_has_balanced_braces_and_every_formula(adamw: derive.Derivation) -> None:
    """Braces and environments close; the law's formula is display mathematics."""
    latex = derive.latex(adamw)
    bare = re.sub(r"\\[{}]", "", latex)

    assert bare.count("{") == bare.count("}")
    assert latex.count(r"\begin{align*}") == latex.count(r"\end{align*}")
    assert latex.count(r"\left") == latex.count(r"\right") + latex.count(r"\leftarrow")
    assert r"\theta_{1} = \theta \, \left(1 - \gamma \, \lambda_w\right)" in latex
    for law in families.laws(adamw.rule):
        assert law.latex in latex


def test_deriving_twice_gives_the_same_text(adamw: derive.Derivation) -> None:
    """No date, no address, no order of a set in it."""
    assert derive.text(adamw) == derive.text(derive.derivation(rules.get("adamw")))
