"""What a person should know of an optimizer and nothing promises."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.broken.optimizers import Right
from verifier.subjects.torch_conventions import source
from verifier.subjects.torch_probe import examined
from verifier.subjects.torch_signature import signature

GROUPS = "options of parameter groups are not checked: a group takes lr = -1, which the constructor refuses"
NAN = "a gradient of NaN leaves the parameter finite, so that nobody learns of it there"
EPS = "in float16 eps = 1e-08 rounds to zero, and a gradient of zero makes the parameter NaN"
SINGLE = "keeps mu_product in float32, so that steps of float64 parameters are no better"


SHAPES = "weight decay leaves parameters of 1 dimension as they are, and acts on others"
SHARED = "load_state_dict takes momentum without a copy: later steps change what was loaded"
NARROW = "keeps momentum of float64 parameters in float32, with the digits that has"
ROUNDED = "steps float64 parameters in float32: they lose the digits that float32 has not"


class DecaysNoVectors(Right):
    """Vectors are not decayed."""

    def gradient(self, p: Any, group: Any) -> Any:
        return super().gradient(p, {**group, "weight_decay": group["weight_decay"] if p.dim() != 1 else 0.0})


class KeepsFloat32(Right):
    """The momentum is in float32, and what is loaded is taken as it is."""

    def one(self, p: Any, group: Any) -> None:
        if not self.state[p]:
            self.state[p] = {"step": 0, "momentum": torch.zeros_like(p, dtype=torch.float32)}
        super().one(p, group)

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        for p, saved in zip(self.param_groups[0]["params"], state_dict["state"].values(), strict=True):
            self.state[p]["momentum"] = saved["momentum"]


class RoundsItsParameters(Right):
    """Parameters are rounded to float32 after every step."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        p.copy_(p.float())


class ChecksGroups(Right):
    """Every group is checked."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if param_group.get("lr", 0) < 0:
            raise ValueError("a hyperparameter is out of range")
        super().add_param_group(param_group)


@pytest.mark.parametrize(
    ("of", "said", "kept_quiet"),
    [
        (torch.optim.ASGD, {GROUPS}, {NAN, EPS}),
        (torch.optim.Rprop, {NAN}, {EPS, SINGLE}),
        (torch.optim.NAdam, {EPS, SINGLE}, {NAN}),
        (Right, {GROUPS}, {NAN, EPS, SINGLE, SHAPES, SHARED, ROUNDED, NARROW}),
        (DecaysNoVectors, {SHAPES}, {SHARED, ROUNDED}),
        (KeepsFloat32, {SHARED, NARROW}, {SHAPES, ROUNDED}),
        (RoundsItsParameters, {ROUNDED}, {SHAPES, SHARED}),
        (ChecksGroups, set(), {GROUPS}),
    ],
)
def test_habits_are_told_of_those_that_have_them(of: type, said: set[str], kept_quiet: set[str]) -> None:
    """Each convention and note is told of an optimizer that is so, and of none that is not."""
    notes = {words for _, words in examined(signature(of)).notes}

    assert said <= notes
    assert set() == kept_quiet & notes


class KeepsScale(Right):
    """An option lives in an attribute, which torch's own __getstate__ leaves out of copies."""

    def __init__(self, params: Any, lr: float = 0.1, **options: Any) -> None:
        self.scale = 1.0
        super().__init__(params, lr, **options)

    def step(self, closure: Any = None) -> Any:
        assert self.scale == 1.0
        return super().step(closure)


class LeavesOutScale(KeepsScale):
    """A __getstate__ of its own is what leaves the attribute out."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "scale"}


class CopiesScale(KeepsScale):
    """A __deepcopy__ of its own copies what torch's __getstate__ leaves out, and a pickle has nobody to do so."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        new.__dict__ = copy.deepcopy(vars(self), memo)
        return new


def test_a_copy_that_torch_cuts_short_is_a_note() -> None:
    """Attributes that torch's own __getstate__ leaves out are no breach of the class's; those that its own does are."""
    cut, own = examined(signature(KeepsScale)), examined(signature(LeavesOutScale))

    assert {"copying", "pickling"} <= set(cut.exempt)
    assert [words for _, words in cut.notes if words.startswith("a deep copy or a pickle of it cannot step: scale")]
    assert set() == {"copying", "pickling"} & set(own.exempt)


def test_a_pickle_that_torch_cuts_short_is_a_note() -> None:
    """A class whose deep copies are whole is asked of these."""
    found = examined(signature(CopiesScale))

    assert {"pickling"} == {"copying", "pickling"} & set(found.exempt)
    assert [words for _, words in found.notes if words.startswith("a pickle of it cannot step: scale")]


BASE_CLASS = """
import torch

def parts(p):
    return torch.view_as_real(p) if torch.is_complex(p) else p

class Optimizer(torch.optim.Optimizer):
    def add_param_group(self, group): super().add_param_group(group)
    def load_state_dict(self, state): super().load_state_dict(state)
    def state_dict(self): return super().state_dict()
    def zero_grad(self, set_to_none=True): super().zero_grad(set_to_none)
"""

OF_IT = """
from wild_base import Optimizer

class Own(Optimizer):
    def step(self, closure=None): return None

class Left(Optimizer):
    def step(self, closure=None): return super().step(closure)
"""


def test_what_a_copy_of_the_base_class_supports_says_nothing_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Complex numbers that a copied base class mentions are no claim of a step that leaves nothing to it."""
    (tmp_path / "wild_base.py").write_text(BASE_CLASS, encoding="utf-8")
    (tmp_path / "wild_of_it.py").write_text(OF_IT, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    module = importlib.import_module("wild_of_it")

    assert ["is_complex" in source(cls) for cls in (module.Own, module.Left)] == [False, True]
