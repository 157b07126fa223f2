"""Options of one group that act on another: all of them are told, not the first that shows it."""

from __future__ import annotations

from tests.test_contracts import FAST
from verifier import record
from verifier.auditing import leaks
from verifier.auditing.laws import Laws
from verifier.auditing.request import Request
from verifier.case import Case

LAW, SUBJECT = "groups", "cpu-float32-forloop"


def told(name: str) -> tuple[Case, Case]:
    """The smallest case on which the law of groups is broken, and that which tells of all options that leak."""
    laws = Laws(Request(f"tests.broken.{name}"))
    law = f"{laws.found.signature.name}.{LAW}"  # type: ignore[union-attr]
    test, one = laws.whole_test(law, SUBJECT)
    record.start()
    try:
        FAST(test)(subject=one)
    except record.Violation as found:
        assert found.case is not None
        case = laws.of_any_case(law, SUBJECT, found.case)[1]
    case = laws.smaller(law, SUBJECT, case, laws.found.signature.defaults)  # type: ignore[union-attr]
    return case, leaks.all_of_them(laws, law, SUBJECT, case)


def test_both_options_that_leak_are_told() -> None:
    """The case differs in both, the option that does not leak in neither, and it is small."""
    _, whole = told("seldom:LeaksTwoOptions")

    assert [{"momentum", "weight_decay"}] * 2 == [set(group.hyper) for group in whole.groups]
    assert [1, 1] == [int(size) for size in whole.sizes]


def test_one_option_that_leaks_keeps_its_case() -> None:
    """Where one option alone leaks, the smallest case stays what it was."""
    case, whole = told("optimizers:LeaksOption")

    assert case is whole


def test_options_that_the_constructor_swaps_are_given_to_one_group() -> None:
    """What acts otherwise in a group than in the constructor needs one group to be seen, and is told as that."""
    _, whole = told("seldom:SwapsInItsConstructor")

    assert [{"momentum", "weight_decay"}] == [set(group.hyper) for group in whole.groups]
