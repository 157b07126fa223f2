"""Contracts of elements are asked of classes whose steps mix elements under an option, while that option is off."""

from __future__ import annotations

from typing import Any

import pytest

from tests.broken.optimizers import Right
from tests.test_audit_power import quick
from verifier import record
from verifier.auditing import asleep, collect
from verifier.auditing.probe import Found, learn, with_class
from verifier.auditing.request import Request

PLACE = "tests.test_torch_asleep"


class Measures(Right):
    """An option divides gradients by a norm; without it steps are of one element: right."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0, measures: bool = False
    ) -> None:
        super().__init__(params, lr, momentum, weight_decay)
        self.defaults["measures"] = measures
        for group in self.param_groups:
            group.setdefault("measures", measures)

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return grad / (1 + grad.norm()) if group["measures"] else grad


class MeasuresAndMindsSize(Measures):
    """Tensors of more than 64 elements have half the learning rate."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) * (0.5 if p.numel() > 64 else 1)


class MeasuresAlways(Measures):
    """Whatever the option says, gradients are divided by a norm."""

    def gradient(self, p: Any, group: Any) -> Any:
        return super().gradient(p, {**group, "measures": True})


def contracts(found: Found) -> Any:
    """The module of all contracts of a smoke audit."""
    return collect._contract_module(found, "smoke")


def learnt(name: str) -> Found:
    """What is known of a class of this file."""
    return with_class(learn(Request(f"{PLACE}:{name}", profile="smoke")), globals()[name])


def told(found: Found, law: str) -> str:
    """What the law finds wrong while options are off, over the float32 for-loop; empty where it holds."""
    (module,) = asleep.modules(found, contracts)
    (subject,) = (one for one in module.subjects if one.format.name == "float32" and one.implementation == "forloop")
    record.start()
    try:
        quick(getattr(module, f"test_{law}"))(subject=subject)
    except record.Violation as wrong:
        return wrong.what
    return ""


@pytest.mark.parametrize(("name", "what"), [("Measures", ""), ("MeasuresAndMindsSize", "an element of a tensor of 65")])
def test_contracts_of_elements_are_asked_while_an_option_is_off(name: str, what: str) -> None:
    """A size that is minded shows, though tensors are read whole under an option; and a right class passes."""
    found = learnt(name)
    assert found.signature is not None

    assert ("measures",) == found.signature.asleep
    assert not hasattr(collect._contract_module(found, "smoke"), "test_sizes")
    assert told(found, "sizes").startswith(what)
    assert bool(what) is bool(told(found, "sizes"))
    assert "sizes" not in asleep.left_out(found.signature)


def test_what_mixes_elements_without_options_is_not_asked() -> None:
    """Nothing is asked anew of a class that always reads whole tensors, and nothing of one that never does."""
    always = learnt("MeasuresAlways")
    never = with_class(learn(Request("tests.broken.optimizers:Right", profile="smoke")), Right)
    assert always.signature is not None

    assert [] == asleep.modules(always, contracts) == asleep.modules(never, contracts)
    assert "its step reads whole tensors" == asleep.left_out(always.signature)["sizes"]
