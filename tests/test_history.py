"""Lives as data: played again they go wrong again, smaller ones too, and their scripts show it in plain torch."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.test_life import FEW
from tests.test_script import imported
from verifier import rules
from verifier.auditing import history, running, script
from verifier.auditing.life import machine
from verifier.auditing.probe import Found, Held, learn
from verifier.auditing.request import Request
from verifier.auditing.scene import Scene
from verifier.auditing.strayed import Strayed

WRONG = {
    "tests.broken.more:DecaysLate": "torch.optim import AdamW",
    "tests.broken.more:MovesWrongly": "torch.optim import AdamW",
    "tests.broken.more:IgnoresFoundInf": "tests.broken.more import TakesFoundInf",
    "tests.broken.more:KeepsById": "tests.broken.optimizers import Right",
    "tests.broken.optimizers:LeaksOption": "tests.broken.optimizers import Right",
    "tests.broken.optimizers:ResetsOnSave": "tests.broken.optimizers import Right",
    "tests.broken.optimizers:ResetsOnLoad": "tests.broken.optimizers import Right",
    "tests.broken.optimizers:CountsIdleSteps": "tests.broken.optimizers import Right",
    "tests.broken.optimizers:DecaysAbsent": "tests.broken.optimizers import Right",
    "tests.broken.optimizers:ForgetsAddedGroups": "tests.broken.optimizers import Right",
}
"""Optimizers that go wrong in the middle of a life, and what each should have been."""


def lost(target: str) -> tuple[Found, history.History]:
    """What is known of a class, and the first life in which it goes wrong."""
    found = learn(Request(target))
    place, _, name = target.partition(":")
    assert found.signature is not None
    held = found.held
    if "AdamW" in WRONG[target]:
        of = rules.get("adamw")
        held = (Held(of, "declared", {}, frozenset(s.name for s in of.state)),)
    signature = replace(found.signature, build=getattr(importlib.import_module(place), name))
    life: Any = machine(signature, held=held)
    with pytest.raises(Strayed):
        run_state_machine_as_test(life, settings=hypothesis.settings(FEW, max_examples=400))
    return replace(found, signature=signature, held=held), history.told(life.past)


@pytest.mark.parametrize("target", WRONG, ids=lambda target: target.rpartition(":")[2])
def test_script_of_a_life(target: str, tmp_path: Path) -> None:
    """A life that went wrong is made smaller, survives being written down, and becomes a script that shows it."""
    found, whole = lost(target)
    assert found.signature is not None

    small = history.smaller(found, whole)

    again = history.History.from_case(small.to_case())
    strayed = history.played(found, again)
    assert strayed is not None
    assert len(small.events) <= min(6, len(whole.events))
    (text,) = history.scripts(Scene(found.signature, "forloop", "float32", {}), again, strayed)
    name = target.rpartition(":")[2]
    right = re.sub(r"(?m)^from tests\S+ import \w+$", f"from {WRONG[target]} as {name}", text)
    paths = [tmp_path / "wrong.py", tmp_path / "right.py"]
    for path, content in zip(paths, (text, right), strict=True):
        path.write_text(content)
    ran = running.run(paths, 60, fresh=False)
    assert [1, 0] == [one.code for one in ran], ran[0].printed + ran[1].printed
    assert repr(strayed.observed) in ran[0].printed
    assert len(text.splitlines()) <= script.LIMIT
    assert set(imported(text)) <= {"torch", target.partition(":")[0], "copy", "io", "pickle"}
