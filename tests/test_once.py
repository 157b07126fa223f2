"""Contracts that a smoke audit asks in fewer formats: all are asked, of every implementation in float32."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tests.test_audit_power import learnt
from verifier.auditing import collect, once
from verifier.contract_table import CONTRACTS


def asked(modules: list[ModuleType]) -> dict[str, set[str]]:
    """The subjects each contract is put to."""
    found: dict[str, set[str]] = {}
    for module in modules:
        names = [name.removeprefix("test_") for name in vars(module) if name.startswith("test_")]
        for name in names:
            found.setdefault(name, set()).update(subject.id for subject in module.subjects)
    return found


def test_nothing_is_lost_but_other_formats() -> None:
    """What says nothing of numbers is asked in float32, what may keep a master copy in bfloat16 too."""
    found = learnt("torch.optim:SGD")
    before = asked([collect._contract_module(found, "smoke")])

    after = asked(once.apart(collect._contract_module(found, "smoke")))

    assert before.keys() == after.keys()
    for name, subjects in before.items():
        plain = {one for one in subjects if "float32" in one}
        kept = plain | {one for one in subjects if one == "cpu-bfloat16-forloop"}
        wanted = plain if name in once.ONCE else kept if name in once.KEPT else subjects
        assert wanted == after[name], name
    assert once.ONCE | once.KEPT <= {row.name for row in CONTRACTS}


def test_an_optimizer_without_that_format_is_asked_in_its_own() -> None:
    """Where float32 cannot be tested, nothing is moved."""
    contracts: Any = collect._contract_module(learnt("torch.optim:SGD"), "smoke")
    contracts.subjects = [subject for subject in contracts.subjects if subject.format.name != "float32"]

    assert [contracts] == once.apart(contracts)
