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
