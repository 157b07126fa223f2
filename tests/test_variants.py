"""Settings of switches that are read with two processes: what is learnt does not depend on how they fare."""

from __future__ import annotations

from typing import Any

import pytest

from verifier.auditing import variants
from verifier.subjects.torch_sandbox import Died
from verifier.subjects.torch_signature import signature
from verifier.subjects.torch_widest import examined


class Ends:
    """A child that ends without an answer."""

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> Ends:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def answer(self) -> Died:
        return Died("ends")


def learnt(reader: variants.Reader) -> list[tuple[dict[str, float], str, bool]]:
    """Each setting, the rule that it follows, and whether it was read to the end."""
    return [(dict(fixed), one.proof.rule, one.finished) for fixed, one in reader.all(thorough=False)]


def test_what_the_other_process_does_not_learn_is_learnt_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam with its two switches is told the same, in the same order, where the child ends before it answers."""
    reader = variants.Reader(examined(signature("torch.optim:Adam", {})), {}, None)
    usual = learnt(reader)
    monkeypatch.setattr(variants, "Child", Ends)

    assert usual == learnt(reader)
    assert [{}, {"amsgrad": 1.0}, {"decoupled_weight_decay": 1.0}] == [fixed for fixed, _, _ in usual]
    assert ["adam", "adam_amsgrad", "adamw"] == [rule for _, rule, _ in usual]


def test_a_setting_that_takes_too_long_is_told_to_be_unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a switch is its own: the defaults are learnt whole, and what is left of a switch is said to be."""
    reader = variants.Reader(examined(signature("torch.optim:Adam", {})), {}, None)
    monkeypatch.setattr(variants, "PATIENCE", 0.001)

    (_, plain), *others = reader.all(thorough=False)

    assert plain.finished and "adam" == plain.proof.rule
    assert [False, False] == [one.finished for _, one in others]


CORRECTED = """
import torch

class Corrected(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, weight_decay=0.01, corrected=False):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, corrected=corrected))
        for group in self.param_groups:
            group.setdefault("initial_lr", lr)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            decay = group["lr"] * group["weight_decay"]
            if group["corrected"]:
                decay = decay * group["lr"] / group["initial_lr"]
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - decay).add_(p.grad.sign(), alpha=-group["lr"])
"""


def test_what_only_a_scheduler_shows_is_not_searched_for_mistakes(tmp_path: Any) -> None:
    """Decay that follows the first lr is the same code while the rate rests; code that takes a square is not."""
    (tmp_path / "one.py").write_text(CORRECTED)
    (tmp_path / "two.py").write_text(CORRECTED.replace('* group["lr"] / group["initial_lr"]', "* group['lr']"))
    told = []
    for name in ("one", "two"):
        known = examined(signature(f"{tmp_path / name}.py:Corrected", {}))
        (_, plain), (_, turned) = variants.Reader(known, {}, None).all(thorough=False)
        told.append(variants._only_scheduled(turned.read, plain.read))

    assert [True, False] == told
