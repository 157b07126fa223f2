"""Classes that take no float64 are looked at, and audited, in float32."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.broken.optimizers import LeaksOption, Right
from tests.test_audit_power import quick
from verifier import record
from verifier.auditing import collect
from verifier.auditing.probe import learn, with_class
from verifier.auditing.request import Request
from verifier.subjects.torch_probe import Untestable
from verifier.subjects.torch_signature import signature
from verifier.subjects.torch_widest import examined

PLACE = "tests.test_torch_widest"


class Narrow(Right):
    """It takes no float64, and is right else."""

    def one(self, p: Any, group: Any) -> None:
        if p.dtype is torch.float64:
            raise TypeError("no float64")
        super().one(p, group)


class NarrowAndLeaking(Narrow, LeaksOption):
    """It takes no float64, and an option of a group leaks."""


class Nowhere(Right):
    """It takes nothing."""

    def one(self, p: Any, group: Any) -> None:
        raise TypeError(f"no {p.dtype}")


@pytest.mark.parametrize(("name", "holds"), [("Narrow", True), ("NarrowAndLeaking", False)])
def test_without_float64_contracts_are_asked_in_float32(name: str, holds: bool) -> None:
    """Of two classes that take no float64, groups are right in the one, and wrong in the other."""
    found = with_class(learn(Request(f"{PLACE}:{name}", profile="smoke")), globals()[name])
    module = collect._contract_module(found, "smoke")
    asked = [one for one in module.subjects if not one.untestable and one.implementation == "forloop"]
    told = []
    for subject in asked:
        record.start()
        try:
            quick(module.test_groups)(subject=subject)  # type: ignore[attr-defined]
        except record.Violation as wrong:
            told.append(wrong.what)

    assert {"float32", "bfloat16"} == {one.format.name for one in asked}
    assert holds is not bool(told)


def test_says_in_which_format_a_class_is_looked_at() -> None:
    """The note says what float64 raises; a class that takes it is looked at in it."""
    narrow = examined(signature(f"{PLACE}:Narrow", {}))

    why = "its first step in float64 raises TypeError: no float64"
    assert ("note", f"is looked at in float32: {why}") in narrow.notes
    assert f"takes no float64: {why}" == narrow.unavailable["forloop float64"]
    assert "float64" == examined(signature("tests.broken.optimizers:Right", {})).widest


def test_nothing_runs_that_takes_neither() -> None:
    """What raises in float32 too is untestable, for what it raises in float64."""
    with pytest.raises(Untestable, match=r"its first step raises TypeError: no torch\.float64"):
        examined(signature(f"{PLACE}:Nowhere", {}))
