from __future__ import annotations

from pathlib import Path

import pytest

from verifier import code_proofs

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
