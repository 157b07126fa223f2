"""What every check does: run a case, count it, and say where a value is not what it should be."""

from __future__ import annotations

import functools
from typing import Any

from verifier.case import Case, Refused, Subject, Trajectory
from verifier.floats import Array, Mask, same_bits
from verifier.record import Violation, current, first, place_of, show
from verifier.rule import Rule, maximized
from verifier.strategies import options_of

RAISED = "raised instead of stepping"
"""What a violation is called whose run ended in an exception of the optimizer's."""


def rule_of(subject: Subject, case: Case) -> Rule:
    """The rule the subject must follow on this case: its own, or its ascending form under `maximize`."""
    return _climbing(subject.rule) if case.maximize else subject.rule


_climbing = functools.lru_cache(maxsize=256)(maximized)  # the same rule each time, so that what is kept of it is found


def run(subject: Subject, case: Case) -> Trajectory:
    """The subject's trajectory on `case`, counted; an exception of the optimizer is a violation."""
    seen = current()
    if seen.listed and seen.violation is not None:
        raise seen.violation  # nothing to be learnt from a smaller case of a listed failure
    seen.saw(case, options_of(case))
    try:
        return subject.run(case)
    except Refused:
        raise
    except Exception as error:  # foreign code: whatever it raises on a legitimate case is what was observed
        raise violation(
            RAISED, subject, case, observed=f"{type(error).__name__}: {error}", expected="a step"
        ) from error


def observed(trajectory: Trajectory, rule: Rule, name: str) -> Array | None:
    """theta, or the state variable called `name`; None where the subject cannot show it. shape=(steps + 1, elements)"""
    return trajectory.theta if name == rule.theta.name else trajectory.state.get(name)


def violation(what: str, subject: Subject, case: Case, **where: Any) -> Violation:
    """A violation of this subject on this case, remembered by the running test's record."""
    found = Violation(what, subject=subject, case=case, **where)
    current().violation = found
    return found


def bits(
    what: str,
    subject: Subject,
    case: Case,
    values: Array,
    expected: Array,
    step: int,
    mask: Mask | None = None,
    *,
    signed_zeros: bool = True,
) -> None:
    """Asserts equal bits of two rows of values, where `mask` holds; without `signed_zeros`, +0 may stand for -0."""
    same = same_bits(values, expected)
    if not signed_zeros:
        same |= values == expected
    if mask is not None:
        same |= ~mask
    current().compared(int(same.size if mask is None else mask.sum()))
    if same.all():
        return
    where = first(~same)
    tensor, element = place_of(case, where)
    raise violation(
        what,
        subject,
        case,
        step=step,
        tensor=tensor,
        element=element,
        observed=show(float(values[where])),
        expected=show(float(expected[where])),
        ulps=float(subject.format.distance(values[where : where + 1], expected[where : where + 1])[0]),
    )
