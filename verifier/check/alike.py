"""Two runs that must be alike: the same bits, or, where kernels may round otherwise, the same formula."""

from __future__ import annotations

from typing import Any

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.bits import same_trajectory
from verifier.check.coarser import farther_than_rounding
from verifier.check.enclosed import trajectory_enclosed
from verifier.check.judged import Judgement, decided, judged
from verifier.check.seen import bits, violation
from verifier.floats import FP32, Mask
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
    what: str,
    subject: Subject,
    case: Case,
    seen: Trajectory,
    expected: Trajectory,
    *,
    plain: Case | None = None,
    scalars: bool = False,
) -> None:
    """The same bits; where kernels may round otherwise, both roundings of one rule. `seen` is the run of `case`.

    Vector bodies and tails of fused kernels, and of any kernel in the formats narrower than fp32, round differently,
    and complex arithmetic does not contract. There each step must lie in the enclosure of the subject's rule, or of
    the rule read out of its code. So it must where the subject claims no rule: whoever adds twice, or takes a cube
    root, has it fused or approximated in vector bodies alone. `plain` is the case `expected` was run on, which is
    held to that rule as well. `scalars`: what all elements share may round otherwise too. The sign of a zero does not
    count: 0 + w * (-0 - 0) is +0 or -0 as a kernel contracts it, in torch's own lerp too.
    """
    try:
        same_trajectory(what, subject, case, seen, expected, signed_zeros=False)
    except Violation as found:
        if not isinstance(subject.rule, Rule):
            decided(what, explained(subject, case, plain, seen, expected), found)
            return
        if not (scalars or _rounds_otherwise(subject, case)):
            raise
        _inside(found, subject, (case, seen))


def _rounds_otherwise(subject: Subject, case: Case) -> bool:
    """Whether a correct implementation may round one element otherwise than another; see `alike`.

    In narrow formats so may it on another path: `mul_` and `_foreach_mul_` by one number differ there, and foreach SGD
    takes the former while some parameter has no momentum yet (tests/findings/foreach_sgd_rounds_momentum.py).
    """
    narrow = subject.format.precision < FP32.precision
    return narrow or subject.implementation == "fused" or "complex" in case.events.get(0, ())


def _inside(found: Violation, subject: Subject, *runs: tuple[Case, Trajectory]) -> None:
    """Raises what was `found` unless every step of each run lies in the enclosure of the subject's rule."""
    try:
        for case, trajectory in runs:
            trajectory_enclosed(subject, case, trajectory)
    except Violation:
        current().violation = found
        raise found from None
    current().violation = None


def alike_where(
    what: str, subject: Subject, case: Case, seen: Trajectory, expected: Trajectory, where: Mask, *, plain: Case
) -> None:
    """`alike` of parameters alone, and of the elements where `where` is true. `plain` is the case of `expected`."""
    try:
        for step in range(case.steps + 1):
            bits(what, subject, case, seen.theta[step], expected.theta[step], step, where)
    except Violation as found:
        if isinstance(subject.rule, Rule):
            if not _rounds_otherwise(subject, case):
                raise
            _inside(found, subject, (case, seen), (plain, expected))
            return
        there = Trajectory(np.where(where, expected.theta, seen.theta))  # whole, as the run in a coarser format is
        decided(what, explained(subject, case, plain, seen, there), found)


def explained(subject: Subject, case: Case, plain: Case | None, seen: Trajectory, expected: Trajectory) -> Judgement:
    """Whether rounding explains two runs that differ: by the rule read out of the code, or by what it is seen to do.

    Where no rule could be read, runs are wrong that are farther apart than the next coarser format takes one of them.
    So it is asked of sparse gradients: entries that are there twice are two additions, of which the rule has one; and
    where both runs leave the rule, which then says nothing of how they differ.
    """
    verdicts = [judged(subject, one) for one in (case, plain) if one is not None]
    twice = any("sparse" in names for names in case.events.values()) and Judgement.OTHERWISE not in verdicts[1:]
    both = len(verdicts) > 1 and set(verdicts) == {Judgement.OTHERWISE}
    if Judgement.OTHERWISE in verdicts and not (twice or both):
        return Judgement.OTHERWISE
    if Judgement.UNKNOWN not in verdicts and Judgement.OTHERWISE not in verdicts:
        return Judgement.ROUNDING
    far = farther_than_rounding(subject, case, seen, expected.theta)
    return Judgement.OTHERWISE if far is not None and bool(far.any()) else Judgement.UNKNOWN


def breach(
    what: str, subject: Subject, case: Case, observed: str, expected: str, step: int | None = None, **place: int
) -> Any:
    """A violation of which both sides are words; `place`: tensor and element, where it has one."""
    return violation(what, subject, case, observed=observed, expected=expected, step=step, **place)
