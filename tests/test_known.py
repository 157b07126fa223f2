"""What a child met that learnt of a target, and whose fault it is that nothing can be run."""

from __future__ import annotations

import pytest

from verifier.auditing import collect, known
from verifier.auditing.probe import Found


@pytest.mark.parametrize(
    ("answer", "whose"),
    [
        (("ModuleNotFoundError", "No module named 'verifier.lift.gone'"), "broken"),
        (("ImportError", "cannot import name 'gone' from 'verifier' (/here)"), "broken"),
        (("ModuleNotFoundError", "No module named 'torchao'"), ""),
        (("UsageError", "no module 'verifyer'"), "usage"),
        (("ZeroDivisionError", "division by zero"), "wrong"),
    ],
)
def test_whose_fault_it_is(answer: tuple[str, str], whose: str) -> None:
    """A module of ours that is missing is ours, one of somebody else nobody's, and what a target raises its own."""
    told = known.blame(answer)

    assert {"broken", "usage", "wrong"} & {name for name, value in told.items() if value is True} == {whose} - {""}
    assert answer[1] in told["reason"]


def test_what_is_ours_breaks_its_row() -> None:
    """The row of a target that we cannot run says that the check broke, and not that nothing can be tested."""
    found = Found("pkg:Class", **known.blame(("ModuleNotFoundError", "No module named 'verifier.lift.gone'")))
    made = collect._reason_module(found)

    assert "" == made.subjects[0].untestable
    with pytest.raises(ImportError, match=r"verifier\.lift\.gone"):
        made.test_runs(subject=made.subjects[0])
