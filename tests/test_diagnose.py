"""Diagnosis: a violation is named after the known mistake it equals, and after none where it equals none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import sympy

from verifier.case import Case, Subject, Trajectory
from verifier.diagnose import answerable, equals
from verifier.floats import FP32
from verifier.mutants import mutants
from verifier.power import Kill, idle, matrix, measured, survivors
from verifier.rules import get
from verifier.subjects.reference import reference

ADAMW = get("adamw")


def case() -> Case:
    rng = np.random.default_rng(3)
    hyper = {"lr": 0.25, "beta1": 0.75, "beta2": 0.875, "eps": 1e-3, "weight_decay": 0.5}
    return Case(((4,),), rng.standard_normal(4), rng.standard_normal((5, 4)), hyper)


def subject(mistake: str) -> Subject:
    mutant = next(m for m in mutants(ADAMW) if m.name == f"adamw__{mistake}")
    return replace(reference(mutant, FP32), rule=ADAMW)


def test_adams_decay_in_adamw_is_named() -> None:
    """A fused Adam once shipped this: the diagnosis says so by name."""
    found = equals(subject("coupled_decay"), case())
    assert found is not None
    assert found.name == "adamw__coupled_decay"


def test_the_rule_itself_equals_no_mistake() -> None:
    """A subject that follows its rule is not accused."""
    assert equals(reference(ADAMW, FP32), case()) is None


def test_an_unknown_mistake_gets_no_name() -> None:
    """What equals no known mistake is left unnamed."""
    right = reference(ADAMW, FP32)

    def run(case: Case) -> Trajectory:
        seen = right.run(case)
        return replace(seen, theta=seen.theta * np.linspace(1, 2, case.steps + 1)[:, None])

    assert equals(replace(right, run=run), case()) is None


def test_power_from_rows() -> None:
    """A violated mutant is killed; survivors and idle laws are what is left; untestable rows count for nothing."""
    rows = [
        {"law": "sgd.step", "subject": "cpu-float32-decay_missing", "verdict": "violated"},
        {"law": "sgd.sign", "subject": "cpu-float32-decay_missing", "verdict": "held"},
        {"law": "sgd.sign", "subject": "cpu-float32-ascends", "verdict": "held"},
        {"law": "sgd.step", "subject": "cpu-float32-ascends", "verdict": "untestable"},
    ]
    kills = measured(rows)
    assert kills[0] == Kill("sgd", "step", "decay_missing", "float32", True)
    assert survivors(kills) == [("sgd", "ascends", "float32")]
    assert idle(kills) == [("sgd", "sign", "float32")]
    assert matrix(kills, "float32")["step"] == {"decay_missing": (1, 1)}


def test_rules_with_cases_of_their_own_are_not_asked_about() -> None:
    """A rule outside the catalogue that branches or clamps might take minutes to be told from its mistakes."""
    adam = get("adam")
    clamped = replace(adam, name="mine", step=(*adam.step[:-1], (adam.step[-1][0], sympy.Max(0, adam.step[-1][1]))))

    assert answerable(adam)
    assert answerable(replace(adam, name="mine"))
    assert not answerable(clamped)
