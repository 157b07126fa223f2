"""Two runs that must be alike: the same bits, or, where kernels may round otherwise, the same formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.bits import same_trajectory
from verifier.check.enclosed import trajectory_enclosed
from verifier.check.seen import violation
from verifier.floats import FP32, Array, Format
from verifier.record import Violation, current
from verifier.rule import Rule
from verifier.subjects.nudge import NUDGES


def during(case: Case, name: str, *steps: int) -> Case:
    """The case with one event more before each of `steps`, or in step 0: for the whole run."""
    events = dict(case.events)
    for step in steps:
        events[step] = (*events.get(step, ()), name)
    return case.with_(events=events)


def middle(case: Case) -> int:
    """A step in the middle of the run, never the first."""
    return max(2, (case.steps + 2) // 2)


Pair = Callable[[str], tuple[Case, Trajectory, Trajectory]]
"""From one more event of the whole run, or none, to a case, its trajectory and the one it should have."""


def alike(what: str, subject: Subject, pair: Pair, *, scalars: bool = False) -> None:
    """The same bits; where kernels may round otherwise, the same formula.

    Vector bodies and tails of fused kernels, and of any kernel in the formats narrower than fp32, round differently,
    and complex arithmetic does not contract. There each step must lie in the rule's enclosure; without a rule, the
    difference must shrink with the format as rounding does. `scalars`: what all elements share may round otherwise too.
    """
    case, seen, expected = pair("")
    try:
        same_trajectory(what, subject, case, seen, expected)
    except Violation as found:
        otherwise = scalars or subject.format.precision < FP32.precision
        if not (otherwise or subject.implementation == "fused" or "complex" in case.events.get(0, ())):
            raise
        if isinstance(subject.rule, Rule):
            try:
                trajectory_enclosed(subject, case, seen)
            except Violation:
                current().violation = found
                raise found from None
        elif by_formula(subject.format, lambda event: pair(event)[1], lambda event: pair(event)[2], seen):
            current().violation = found
            raise found from None
        else:
            current().notes[f"{what}, by rounding alone"] += 1
        current().violation = None


Run = Callable[[str], Trajectory]
"""From one more event of the whole run, or none, to a trajectory."""


def by_formula(fmt: Format, one: Run, other: Run, seen: Trajectory | None = None) -> bool:
    """Whether two runs in `fmt` differ by their formula, in any format or in this one, and not by rounding alone.

    `seen` is `one("")` where that is known already.
    """
    events = {name: f"implementation:{name}" for name in ("float32", "float64")}
    if is_formula({name: (one(event), other(event)) for name, event in events.items()}):
        return True
    if fmt.precision > FP32.precision:
        return False
    rounded = [other(""), *(other(f"nudged:{k}") for k in range(1, NUDGES + 1))]
    return is_formula_of(fmt, seen or one(""), rounded, other(events["float64"]))


def is_formula_of(fmt: Format, seen: Trajectory, rounded: Sequence[Trajectory], exact: Trajectory) -> bool:
    """Whether a run in `fmt` departs from `exact`, the same run in fp64, by more than rounding to `fmt` explains.

    A path may be wrong in one format alone, which no comparison in wider ones shows. `rounded` are runs known to be
    right, in `fmt`: one on the same inputs and some on inputs a rounding or two away. The largest error of any of
    their elements is what rounding does to this case, or a unit roundoff of the largest parameter where that is more.
    Rounding moves by a share u of the way, a formula by all of it: the geometric mean is sqrt(u), and an element is
    wrong whose error is more than sqrt(u) of its way and more than 1 / sqrt(u) times what rounding does. One element
    may sit where rounding decides a sign; so most of those that move must be wrong.
    """
    way = np.abs(np.diff(exact.theta, axis=0)).sum(axis=0)
    moving = np.isfinite(way) & (way > 0)
    for run_ in rounded:
        moving &= np.isfinite(run_.theta).all(axis=0)
    if not moving.any():
        return False

    def errors(of: Trajectory) -> Array:
        gap = np.abs(of.theta[:, moving] - exact.theta[:, moving])
        largest: Array = np.where(np.isfinite(gap), gap, np.inf).max(axis=0)
        return largest

    by_rounding = max(float(errors(run_).max()) for run_ in rounded)
    by_rounding = max(by_rounding, fmt.u * float(np.abs(exact.theta[:, moving]).max()))
    wrong = (errors(seen) > way[moving] * fmt.u**0.5) & (errors(seen) > by_rounding * fmt.u**-0.5)
    return bool(2 * wrong.sum() > wrong.size)


def is_formula(runs: Mapping[str, tuple[Trajectory, Trajectory]]) -> bool:
    """Whether two runs, each in fp32 and in fp64, differ by their formula and not by rounding alone.

    Rounding differs by units in the last place, so between fp32 and fp64 such a difference shrinks by 2^29; one of the
    formula does not shrink at all. The two are told apart at the geometric mean, 2^-14.5 of the difference in fp32,
    which counts as a unit roundoff of the largest parameter where it is less. Scalars may be held in fp32 whatever the
    format: in fp64 a formula must therefore show in more than 2^-12 of the way an element went, the geometric mean of
    a unit roundoff of fp32 and of all the way.
    """
    gaps: dict[str, Array] = {}
    for name, (one, other) in runs.items():
        finite = np.isfinite(one.theta) & np.isfinite(other.theta)
        gap = np.abs(np.where(finite, one.theta, 0.0) - np.where(finite, other.theta, 0.0))
        gaps[name] = np.where(np.isfinite(one.theta) != np.isfinite(other.theta), np.inf, gap)
    theta = np.nan_to_num(runs["float64"][1].theta, nan=0.0, posinf=0.0, neginf=0.0)
    coarse = max(float(gaps["float32"].max(initial=0.0)), FP32.u * float(np.abs(theta).max(initial=0.0)))
    way = np.abs(np.diff(theta, axis=0)).sum(axis=0)
    fine = gaps["float64"].max(axis=0, initial=0.0)
    return bool(((fine > coarse * 2.0**-14.5) & (fine > way * 2.0**-12)).any())


def with_event(case: Case, event: str) -> Case:
    """The case with one event more for the whole run; itself where the event is empty."""
    return during(case, event, 0) if event else case


def breach(what: str, subject: Subject, case: Case, observed: str, expected: str, step: int | None = None) -> Any:
    """A violation of which both sides are words."""
    return violation(what, subject, case, observed=observed, expected=expected, step=step)
