"""Two runs that must be alike: the same bits, or, where kernels may round otherwise, the same formula."""

from __future__ import annotations

from typing import Any

from verifier.case import Case, Subject, Trajectory
from verifier.check.bits import same_trajectory
from verifier.check.enclosed import trajectory_enclosed
from verifier.check.judged import unexplained
from verifier.check.seen import violation
from verifier.floats import FP32
from verifier.record import Violation, current
from verifier.rule import Rule


def during(case: Case, name: str, *steps: int) -> Case:
    """The case with one event more before each of `steps`, or in step 0: for the whole run."""
    events = dict(case.events)
    for step in steps:
        events[step] = (*events.get(step, ()), name)
    return case.with_(events=events)


def middle(case: Case) -> int:
    """A step in the middle of the run, never the first."""
    return max(2, (case.steps + 2) // 2)


def alike(
    what: str, subject: Subject, case: Case, seen: Trajectory, expected: Trajectory, *, scalars: bool = False
) -> None:
    """The same bits; where kernels may round otherwise, both roundings of one rule. `seen` is the run of `case`.

    Vector bodies and tails of fused kernels, and of any kernel in the formats narrower than fp32, round differently,
    and complex arithmetic does not contract. There each step must lie in the enclosure of the subject's rule, or of
    the rule read out of its code. `scalars`: what all elements share may round otherwise too.
    """
    try:
        same_trajectory(what, subject, case, seen, expected)
    except Violation as found:
        otherwise = scalars or subject.format.precision < FP32.precision
        if not (otherwise or subject.implementation == "fused" or "complex" in case.events.get(0, ())):
            raise
        if not isinstance(subject.rule, Rule):
            unexplained(what, subject, case, found)
            return
        try:
            trajectory_enclosed(subject, case, seen)
        except Violation:
            current().violation = found
            raise found from None
        current().violation = None


def breach(what: str, subject: Subject, case: Case, observed: str, expected: str, step: int | None = None) -> Any:
    """A violation of which both sides are words."""
    return violation(what, subject, case, observed=observed, expected=expected, step=step)
