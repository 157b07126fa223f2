from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from verifier import code_proofs, expected
from verifier.lift import faithful

TWICE = '''
import torch


class Twice(torch.optim.Optimizer):
    """SGD that applies weight decay twice."""

    def __init__(self, params, lr=0.1, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.add_(p.grad.add(p, alpha=2 * group["weight_decay"]), alpha=-group["lr"])
'''


def rows(name: str) -> dict[str, dict[str, object]]:
    """The evidence rows of a smoke run, by id."""
    found = code_proofs.records(name, "smoke")
    return {row["id"]: row for row in found if row["kind"] == "evidence"}


def test_torchs_sgd_is_its_rule() -> None:
    """The code is proved equal to the rule, its three paths equal to each other, its roundings correct."""
    found = rows("sgd")

    assert {"held"} == {row["verdict"] for row in found.values()}
    assert "proved" == found["sgd.code@cpu-reals-foreach"]["strength"]
    assert "proved" == found["sgd.code_paths@cpu-reals-forloop"]["strength"]
    assert "faithful" == found["sgd.code_roundings@cpu-float32-forloop"]["strength"]


def test_options_and_groups_are_proved_too() -> None:
    """Beyond the smoke profile the forms with lines of their own are proved; what torch refuses is said."""
    found = {row["id"]: row for row in code_proofs.records("adamax", "ci") if row["kind"] == "evidence"}

    assert {"held"} == {row["verdict"] for row in found.values()}
    assert "proved" == found["adamax.code_groups@cpu-reals-foreach"]["strength"]
    assert 4 == found["adamax.code_options@cpu-reals-forloop"]["cases"]
    assert 3 == found["adamax.code_options@cpu-reals-foreach"]["cases"]
    assert "_foreach ops don't support autograd" in found["adamax.code_options@cpu-reals-foreach"]["reason"]


def test_a_groups_option_that_is_ignored_is_refuted() -> None:
    """Adagrad fills a group's state from the constructor's argument: the row is violated, and listed with a script."""
    row = rows("adagrad")["adagrad.code_groups@cpu-reals-forloop"]
    listed = expected.read(Path(code_proofs.__file__).parents[1] / "properties" / "expected.toml")

    assert "violated" == row["verdict"]
    assert "the code's initial sum departs by" in str(row["message"])
    assert "adagrad_group_accumulator.py" in str(expected.reason(listed, str(row["id"])))


ELSEWHERE = TWICE.replace("Twice", "Elsewhere").replace("SGD that applies weight decay twice", "SGD of the first group")
ELSEWHERE = ELSEWHERE.replace("2 * group", "group").replace('-group["lr"]', '-self.param_groups[0]["lr"]')


def test_an_option_read_from_another_group_is_refuted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that takes lr from the first group is the rule for one group, and refuted for two."""
    path = tmp_path / "elsewhere.py"
    path.write_text(ELSEWHERE, encoding="utf-8")
    monkeypatch.setattr(code_proofs, "optimizer_class", lambda name: (f"{path}:Elsewhere", {}))
    monkeypatch.setattr(code_proofs, "IMPLEMENTATIONS", ("forloop",))

    found = rows("sgd")

    assert "held" == found["sgd.code@cpu-reals-forloop"]["verdict"]
    assert "violated" == found["sgd.code_groups@cpu-reals-forloop"]["verdict"]
    assert "lr" in str(found["sgd.code_groups@cpu-reals-forloop"]["message"])


def test_every_option_is_turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code whose maximize is a no-op follows the rule by default, and its row of options is violated by name."""
    path = tmp_path / "never.py"
    never = (
        TWICE.replace("Twice", "Never")
        .replace("2 * group", "group")
        .replace("weight_decay=0.0)", "weight_decay=0.0, maximize=False)")
    )
    path.write_text(never, encoding="utf-8")
    monkeypatch.setattr(code_proofs, "optimizer_class", lambda name: (f"{path}:Never", {}))
    monkeypatch.setattr(code_proofs, "IMPLEMENTATIONS", ("forloop",))

    found = {row["id"]: row for row in code_proofs.records("sgd", "ci") if row["kind"] == "evidence"}

    assert "held" == found["sgd.code@cpu-reals-forloop"]["verdict"]
    assert "violated" == found["sgd.code_options@cpu-reals-forloop"]["verdict"]
    assert str(found["sgd.code_options@cpu-reals-forloop"]["message"]).startswith("maximize: ")


def test_decoupled_decay_is_proved_to_be_no_penalty() -> None:
    """For AdamW what is proved is that the penalty in the loss is something else."""
    found = rows("adamw")

    assert "held" == found["adamw.code_paths_differ@cpu-reals-forloop"]["verdict"]
    assert "adamw.code_paths@cpu-reals-forloop" not in found


def test_code_that_is_not_its_rule_is_refuted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong optimizer is violated, with the difference as a term and the known mistake that it equals."""
    path = tmp_path / "twice.py"
    path.write_text(TWICE, encoding="utf-8")
    monkeypatch.setattr(code_proofs, "optimizer_class", lambda name: (f"{path}:Twice", {}))
    monkeypatch.setattr(code_proofs, "IMPLEMENTATIONS", ("forloop",))

    row = rows("sgd")["sgd.code@cpu-reals-forloop"]

    assert "violated" == row["verdict"]
    assert "lr * weight_decay * theta" in str(row["message"])
    assert "sgd__decay_twice" == row["equals"]


def test_a_target_says_what_it_was_held_to() -> None:
    """The report's list of targets names class, rule, decay and proof."""
    (target,) = [record for record in code_proofs.records("sgd", "smoke") if record["kind"] == "target"]

    assert ("torch.optim:SGD", "sgd", "coupled", "proved") == (
        target["target"],
        target["rule"],
        target["weight_decay"],
        target["proof"]["status"],
    )


def test_a_wrong_kernel_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """One wrong bit in one kernel violates the row of roundings, which names op, line, element and both patterns."""

    def wrong(func: Any, args: Any, kwargs: Any) -> Any:
        out = func(*args, **kwargs)
        if str(func) == "aten.addcdiv_.default":
            flat = args[0].view(-1)
            flat[0] = flat[0] * (1 + 4 * torch.finfo(flat.dtype).eps)
        return out

    monkeypatch.setattr(faithful, "watch", functools.partial(faithful.watch, run=wrong))

    row = rows("adam")["adam.code_roundings@cpu-float32-forloop"]

    assert ("violated", "faithful") == (row["verdict"], row["strength"])
    said = str(row["message"])
    assert said.startswith("step 1, aten.addcdiv_.default at torch/optim/adam.py:")
    assert "in _single_tensor_adam, element [0] (float32): observed " in said
    assert "but should be" in said


def test_a_proof_says_what_it_presupposes() -> None:
    """Momentum's lines run where there is momentum; a row without conditions holds for all values."""
    reasons = {
        name: {row["reason"] for row in code_proofs.records(name, "smoke") if row.get("law") == f"{name}.code"}
        for name in ("sgd_momentum", "adamw")
    }

    assert {"sgd_momentum": {"proved where momentum != 0"}, "adamw": {""}} == reasons
