"""Contracts hold of a right optimizer, and each rejects one that breaks it."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import hypothesis
import pytest

from tests.broken import lines, more
from tests.broken import optimizers as broken
from verifier import contracts, record
from verifier.auditing import collect as audit_collect
from verifier.auditing.probe import learn, with_class
from verifier.auditing.request import Request

FAST = hypothesis.settings(
    max_examples=12,
    database=None,
    deadline=None,
    derandomize=True,
    phases=(hypothesis.Phase.generate,),
    suppress_health_check=list(hypothesis.HealthCheck),
)


@functools.cache
def audited(name: str, place: str = "optimizers") -> Any:
    """The contract module of one optimizer of this folder."""
    found = learn(Request(f"tests.broken.{place}:{name}", profile="ci"))
    build = getattr(importlib.import_module(f"tests.broken.{place}"), name)
    return audit_collect._contract_module(with_class(found, build), "ci")


@functools.cache
def fast(test: Any) -> Any:
    """The test with few cases and no shrinking."""
    return FAST(test)


def rejects(module: Any, law: str) -> str:
    """What the law finds wrong, over the float32 subjects; empty where it holds."""
    for subject in module.subjects:
        if subject.format.name == "float32" and not subject.untestable:
            record.start()
            try:
                fast(getattr(module, f"test_{law}"))(subject=subject)
            except record.Violation as found:
                return found.sentence
    return ""


@pytest.mark.parametrize("wrong", broken.REJECTED, ids=lambda c: c.__name__)
def test_rejects_what_breaks_it(wrong: type) -> None:
    """A contract rejects the optimizer that breaks it."""
    law = broken.REJECTED[wrong]

    assert rejects(audited(wrong.__name__), law) != "", f"{law} holds of {wrong.__name__}"


@pytest.mark.parametrize(
    ("wrong", "law"), more.REJECTED + lines.REJECTED, ids=lambda one: getattr(one, "__name__", one)
)
def test_rejects_what_breaks_it_elsewhere(wrong: type, law: str) -> None:
    """Contracts about files, copies, formats, threads and refusals reject what breaks them too."""
    place = wrong.__module__.rpartition(".")[2]

    assert rejects(audited(wrong.__name__, place), law) != "", f"{law} holds of {wrong.__name__}"


@pytest.mark.parametrize(("right", "law"), [("TakesFoundInf", "skipped_step"), ("TakesComplex", "complex_numbers")])
def test_rare_contracts_hold_of_what_keeps_them(right: str, law: str) -> None:
    """Steps that found_inf skips, and complex parameters: the right optimizer of the kind passes, having been asked."""
    assert "" == rejects(audited(right, "more"), law)
    assert 0 < record.current().elements


def test_every_contract_rejects_something() -> None:
    """No contract is in the table that rejects none of the broken optimizers."""
    from verifier.contract_table import CONTRACTS

    rejecting = {*broken.REJECTED.values(), *(law for _, law in more.REJECTED + lines.REJECTED)}

    assert {row.name for row in CONTRACTS} - rejecting == set()


def test_right_optimizer_keeps_every_contract() -> None:
    """Nothing is found wrong with the optimizer the broken ones are made of."""
    module = audited("Right")
    names = [name.removeprefix("test_") for name in vars(module) if name.startswith("test_")]

    assert {} == {name: said for name in names if (said := rejects(module, name))}


def test_every_contract_has_words_and_a_test() -> None:
    """Every row of the table says something, says why, and calls a check."""
    from verifier.contract_table import CONTRACTS

    for row in CONTRACTS:
        assert row.says.endswith(".") and row.because and "check." in row.body[-1], row.name
    assert len({row.name for row in CONTRACTS}) == len(CONTRACTS)


def test_contracts_are_stated_of_rules() -> None:
    """A rule of the catalogue has the contracts that need no signature, with a proof that says STATED."""
    from verifier.rules import get

    found = contracts.laws(get("adamw"))

    assert "purity" in {contract.name for contract in found}
    assert {"stated"} == {contract.proof.status.value for contract in found}
    assert "implementations" in contracts.inapplicable(get("adamw"))
