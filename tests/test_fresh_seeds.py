"""No false alarm: fresh seeds of every generated law of the optimizers people use most raise none."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests import fresh
from tests.fresh import IMPLEMENTATIONS, RULES, SHARE, Counts
from verifier import lineup
from verifier.floats import FORMATS
from verifier.mutants import mutants
from verifier.rules import get
from verifier.subjects.reference import reference

FIRST, LAST = (int(n) for n in os.environ.get("VERIFIER_FRESH_SEEDS", "10000:12000").split(":"))
"""The seeds of the long test; a block of a hundred is one test."""


def test_the_rules_are_sgd_adam_adamw_and_rmsprop_with_their_variants() -> None:
    """Four optimizers, eleven rules: every one of them is examined."""
    assert (
        "adam",
        "adam_amsgrad",
        "adamw",
        "adamw_amsgrad",
        "rmsprop",
        "rmsprop_centered",
        "rmsprop_centered_momentum",
        "rmsprop_momentum",
        "sgd",
        "sgd_momentum",
        "sgd_nesterov",
    ) == tuple(sorted(RULES))


def test_consecutive_seeds_meet_every_law_on_every_subject_once() -> None:
    """No pair of law and subject is left out, and none is favoured."""
    wanted = {
        (law.id, s.id)
        for law in fresh.laws()
        for s in lineup.of(law.rule, "cpu")
        if s.implementation in IMPLEMENTATIONS
    }
    kinds = len(IMPLEMENTATIONS) * len(FORMATS)
    met = [(law.id, s.id) for seed in range(7, 7 + SHARE * kinds) for law, s in fresh.turn(seed)]

    assert (wanted, len(wanted)) == (set(met), len(met))


def test_three_seeds_raise_no_alarm(tmp_path: Path) -> None:
    """Three seeds meet every law of every rule once; a file that holds them is not run again."""
    path = tmp_path / "seeds.jsonl"
    counts = fresh.run_seeds(range(1000, 1003), path)
    again = fresh.run_seeds(range(1000, 1003), path)

    assert [] == counts.violations
    assert (3, len(fresh.laws()), counts.elements) == (again.seeds, again.rows, again.elements)
    assert counts.elements - counts.vacuous > 100_000


def test_a_wrong_optimizer_raises_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a known mistake in the place of each subject, one seed finds violations of laws of every kind."""

    def wrong(rule: object) -> tuple[fresh.Subject, ...]:
        (mistake,) = (m for m in mutants(get("adam")) if m.name == "adam__decoupled_decay")
        return tuple(replace(reference(mistake, fmt), rule=get("adam")) for fmt in FORMATS.values())

    monkeypatch.setattr(fresh, "subjects", wrong)
    ours = tuple(law for law in fresh.laws() if law.rule.name == "adam")
    monkeypatch.setattr(fresh, "laws", lambda: ours)
    found = {line.split(": ")[0].split(", ")[1].partition("@")[0] for seed in range(3) for line in violations(seed)}

    assert {"adam.step", "adam.step_blind"} <= found


def violations(seed: int) -> list[str]:
    """The violations one seed raises."""
    return fresh.run_seed(seed).violations


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("first", range(FIRST, LAST, 100))
def test_two_thousand_seeds_raise_no_alarm(
    first: int, tmp_path: Path, record_property: pytest.RecordProperty, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two thousand fresh seeds, a hundred a block; with VERIFIER_FRESH_FILE a run goes on where one was cut short."""
    path = Path(os.environ.get("VERIFIER_FRESH_FILE", tmp_path / "seeds.jsonl"))
    counts: Counts = fresh.run_seeds(range(first, min(first + 100, LAST)), path)
    for name in ("seeds", "rows", "cases", "elements", "vacuous", "inconclusive"):
        record_property(name, getattr(counts, name))
    with capsys.disabled():
        print(f"\n{fresh.text(counts)}")

    assert [] == counts.violations
