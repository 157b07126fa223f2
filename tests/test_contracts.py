"""Contracts hold of a right optimizer, and each rejects one that breaks it."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest

from tests.broken import idle, kept, lines, matrix, meant, more, rated, turns, unread
from tests.broken import optimizers as broken
from tests.broken.matrix import audited
from verifier import contracts, record
from verifier.contract_table import CONTRACTS

FAST = hypothesis.settings(matrix.SHORT, max_examples=12, phases=(hypothesis.Phase.generate,))

FEW = 4
"""Contracts that may reject a broken optimizer for it to be one contract's own; those that resume are one."""


def rejects(module: Any, law: str) -> str:
    """What the law finds wrong, over the float32 subjects; empty where it holds."""
    return matrix.rejects(module, law, FAST)


@pytest.mark.parametrize("wrong", broken.REJECTED, ids=lambda c: c.__name__)
def test_rejects_what_breaks_it(wrong: type) -> None:
    """A contract rejects the optimizer that breaks it."""
    law = broken.REJECTED[wrong]

    assert rejects(audited(wrong.__name__), law) != "", f"{law} holds of {wrong.__name__}"


@pytest.mark.parametrize(("wrong", "law"), matrix.MORE, ids=lambda one: getattr(one, "__name__", one))
def test_rejects_what_breaks_it_elsewhere(wrong: type, law: str) -> None:
    """Contracts about files, copies, formats, threads and refusals reject what breaks them too."""
    place = wrong.__module__.rpartition(".")[2]

    assert rejects(audited(wrong.__name__, place), law) != "", f"{law} holds of {wrong.__name__}"


@pytest.mark.parametrize(
    ("right", "law"),
    (*idle.HELD, *unread.HELD, *kept.HELD, *turns.HELD, *rated.HELD, *meant.HELD),
    ids=lambda one: getattr(one, "__name__", one),
)
def test_what_seems_idle_may_act(right: type, law: str) -> None:
    """Options that act by another name, under a schedule, or on large matrices alone are not said to do nothing."""
    assert "" == rejects(audited(right.__name__, right.__module__.rpartition(".")[2]), law)


@pytest.mark.parametrize(
    ("right", "law"),
    [("TakesFoundInf", "skipped_step"), ("Unscales", "scaled_gradients"), ("TakesComplex", "complex_numbers")],
)
def test_rare_contracts_hold_of_what_keeps_them(right: str, law: str) -> None:
    """Steps that found_inf skips, and complex parameters: the right optimizer of the kind passes, having been asked."""
    assert "" == rejects(audited(right, "more"), law)
    assert 0 < record.current().elements


def test_every_contract_rejects_something() -> None:
    """No contract is in the table that rejects none of the broken optimizers."""
    rejecting = {*broken.REJECTED.values(), *(law for _, law in matrix.MORE)}

    assert {row.name for row in CONTRACTS} - rejecting == set()


def test_contracts_have_a_broken_optimizer_of_their_own() -> None:
    """For each contract there is an optimizer that it rejects, and few others do."""
    table = matrix.written()
    rows = {row.name: "resumes" if "check.resumes" in row.body[-1] else row.name for row in CONTRACTS}
    few = {name for names in table.values() if len({rows[n] for n in names}) <= FEW for name in names}

    assert set(table) <= {wrong.__name__ for wrong, _ in matrix.MEANT}
    assert set(rows) - few == set()


@pytest.mark.parametrize("wrong", [lines.EndsAtIdleGroup, more.IgnoresTensorRate], ids=lambda one: one.__name__)
def test_table_of_rejections_is_what_contracts_say(wrong: type) -> None:
    """Rows of the committed table are what its program computes."""
    assert matrix.written()[wrong.__name__] == matrix.rejecting(wrong)


@pytest.mark.nightly
def test_whole_table_of_rejections_is_what_contracts_say() -> None:
    """The committed table is what its program computes."""
    table = matrix.written()

    assert table == {wrong.__name__: matrix.rejecting(wrong) for wrong, _ in matrix.MEANT if wrong.__name__ in table}


def test_right_optimizer_keeps_every_contract() -> None:
    """Nothing is found wrong with the optimizer the broken ones are made of."""
    module = audited("Right")
    names = [name.removeprefix("test_") for name in vars(module) if name.startswith("test_")]

    assert {} == {name: said for name in names if (said := rejects(module, name))}


def test_every_contract_has_words_and_a_test() -> None:
    """Every row of the table says something, says why, and calls a check."""
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
