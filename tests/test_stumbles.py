"""Options at which a step raises in one implementation or format: one finding, and every other row is judged."""

from __future__ import annotations

import os
from typing import Any

import torch

from tests.broken.optimizers import Right
from tests.test_audit_power import learnt, said
from verifier.case import Case
from verifier.subjects.torch_signature import signature
from verifier.subjects.torch_stumbles import Stumbles


class RaisesInForeach(Right):
    """Nesterov's form raises in foreach, decay in bfloat16; and in foreach all groups have the lr of the first."""

    def one(self, p: Any, group: Any) -> None:
        if group["foreach"] and group["nesterov"]:
            raise KeyError("nesterov_buffer")
        if p.dtype is torch.bfloat16 and group["weight_decay"]:
            torch.zeros(3).index_select(0, torch.tensor([5]))
        super().one(p, group)

    def rate(self, p: Any, group: Any, state: Any) -> float:
        lr = self.param_groups[0]["lr"] if group["foreach"] else group["lr"]
        return super().rate(p, {**group, "lr": lr}, state)


def test_what_raises_somewhere_is_kept_apart() -> None:
    """Both errors are laws of their own, no other law raises them, and the wrong lr of groups shows beside them."""
    found = learnt(f"{__name__}:RaisesInForeach")
    assert found.signature is not None

    messages = said(found)

    assert {"IndexError", "KeyError"} == {kind.partition(" ")[0] for kind in found.signature.stumbles}
    raising = {row.partition("@")[0] for row, text in messages.items() if "raised instead of stepping" in text}
    assert raising == {"test_accepted_options", "test_accepted_options_1"}
    assert "a group moves otherwise than alone" in messages["test_groups@cpu-float32-foreach"]
    assert not [row for row in messages if row.endswith("cpu-float32-forloop")]


def test_right_optimizer_stumbles_nowhere() -> None:
    """Of an optimizer that raises in no implementation and format there is nothing to keep apart."""
    found = learnt("tests.broken.optimizers:Right")
    assert found.signature is not None

    assert {} == found.signature.stumbles


def test_where_the_child_ends_without_an_answer_this_process_asks_again() -> None:
    """What ended the child is met here, as it would be without one."""
    here, asked = os.getpid(), []

    def error(_case: Case, implementation: str = "forloop", dtype: str = "") -> None:
        if os.getpid() != here:
            os._exit(3)
        asked.append((implementation, dtype))

    known = signature("torch.optim:AdamW", {})
    with Stumbles(error, (5,)).begun(known, error) as told:
        assert told() == ({}, ())
    assert ("foreach", "bfloat16") in asked
