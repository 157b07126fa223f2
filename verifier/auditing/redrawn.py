"""The cases that a law's test drew for one subject, given to the next: Hypothesis would draw the same ones again.

What it draws follows from the seed and the strategy, which the subjects of a law share, and from nothing else as long
as nothing fails. Drawing costs an audit a seventh of its time. Where something fails, the whole test is run by
Hypothesis, which makes the case smaller and looks whether it fails again.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pluggy import HookimplMarker

hookimpl = HookimplMarker("pytest")  # pytest.hookimpl, for those who have no pytest yet and only ask for marks


class Redrawn:
    """The plugin that runs the tests of audited targets."""

    def __init__(self) -> None:
        self.drawn: dict[Any, tuple[Any, ...]] = {}  # the test of a law -> its cases, in the order they were tried

    @hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: Any) -> bool | None:
        """Runs a law's test, as pytest would."""
        test = pyfuncitem.obj
        if not hasattr(pyfuncitem.parent, "made") or not hasattr(test, "hypothesis"):
            return None
        given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        if test in self.drawn:
            again(test, given, self.drawn[test])
        else:
            self.drawn[test] = first(test, given)
        return True


def first(test: Any, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """Runs a test that draws its cases; those cases."""
    inner = test.hypothesis.inner_test
    noted = []

    def noting(**every: Any) -> None:
        noted.append(every["case"])
        inner(**every)

    test.hypothesis.inner_test = noting
    try:
        test(**given)
    finally:
        test.hypothesis.inner_test = inner
    return tuple(noted)


def again(test: Any, given: Mapping[str, Any], cases: Sequence[Any]) -> None:
    """Runs a test on known cases; all of it, drawing them anew, where one fails. That failure, if none is met again."""
    from verifier import record

    seen = record.current()
    try:
        with _seeds() as seed:
            for case in cases:
                seed()
                test.hypothesis.inner_test(**given, case=case)
        return
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # foreign code may raise anything
        failed = error
    vars(seen).update(vars(record.Record(listed=seen.listed)))
    test(**given)
    if isinstance(failed, record.Violation):
        from hypothesis.errors import Flaky

        seen.violation = failed
        raise Flaky("the case passed when it was run again") from failed
    raise failed


@contextlib.contextmanager
def _seeds() -> Iterator[Any]:
    """What seeds the generators of Python and numpy, as Hypothesis does before each case; they are put back."""
    before = random.getstate(), np.random.get_state()

    def seed() -> None:
        random.seed(0)
        np.random.seed(0)

    try:
        yield seed
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
