"""Cases drawn for one subject and given to the next: as if Hypothesis had drawn them again."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from verifier import record
from verifier.auditing.redrawn import again, first


def law(body: Callable[[str, int], None]) -> tuple[Any, list[int]]:
    """A test over drawn numbers, and the numbers that were drawn."""
    drawn: list[int] = []

    def noted(number: int) -> int:
        drawn.append(number)
        return number

    @seed(0)
    @settings(max_examples=6, database=None, phases=(Phase.explicit, Phase.generate, Phase.shrink))
    @given(case=st.integers(0, 1000).map(noted))
    def test(subject: str, case: int) -> None:
        body(subject, case)

    return test, drawn


def wrong(case: int) -> record.Violation:
    """What a law raises."""
    named = SimpleNamespace(rule=SimpleNamespace(name="sgd"), id="here")
    return record.Violation(f"is wrong of {case}", subject=named)  # type: ignore[arg-type]


def test_the_next_subject_has_the_same_cases_and_none_is_drawn() -> None:
    """In the same order, with the generators of Python and numpy as Hypothesis seeds them, and put back after it."""
    seen: list[tuple[str, int, float, float]] = []
    test, drawn = law(lambda subject, case: seen.append((subject, case, random.random(), np.random.rand())))
    cases = first(test, {"subject": "a"})
    count, before = len(drawn), random.getstate()

    again(test, {"subject": "b"}, cases)

    assert (count, before) == (len(drawn), random.getstate())
    assert [one[1:] for one in seen[: len(cases)]] == [one[1:] for one in seen[len(cases) :]]
    assert {"a", "b"} == {one[0] for one in seen}


def test_what_fails_for_the_next_subject_fails_as_hypothesis_has_it() -> None:
    """It is made as small as Hypothesis makes it, and nothing that was counted before is counted twice."""
    record.start()

    def body(subject: str, case: int) -> None:
        record.current().compared(1)
        if subject == "b" and case > 10:
            raise wrong(case)

    test, _ = law(body)
    cases = first(test, {"subject": "a"})
    assert max(cases) > 10
    seen = record.start()
    with pytest.raises(record.Violation, match=r"is wrong of 11\b"):
        again(test, {"subject": "b"}, cases)
    counted = seen.elements
    alone = record.start()
    with pytest.raises(record.Violation, match=r"is wrong of 11\b"):
        test(subject="b")
    assert alone.elements == counted


def test_what_fails_once_is_told() -> None:
    """A case that passes when it was run again is no pass: it differs from run to run."""
    record.start()
    failed: list[int] = []

    def body(subject: str, case: int) -> None:
        if subject == "b" and not failed:
            failed.append(case)
            raise wrong(case)

    test, _ = law(body)
    cases = first(test, {"subject": "a"})
    with pytest.raises(Flaky):
        again(test, {"subject": "b"}, cases)
    assert isinstance(record.current().violation, record.Violation)


def test_whoever_interrupts_is_heard() -> None:
    """Ctrl-C ends the test, and it is not run again."""
    record.start()
    ran: list[str] = []

    def body(subject: str, case: int) -> None:
        ran.append(subject)
        if subject == "b":
            raise KeyboardInterrupt

    test, _ = law(body)
    cases = first(test, {"subject": "a"})
    with pytest.raises(KeyboardInterrupt):
        again(test, {"subject": "b"}, cases)
    assert 1 == ran.count("b")
