"""What every check does: run a case, count it, and say where a value is not what it should be."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from verifier.case import Case, Refused, Subject, Trajectory
from verifier.floats import FP32, Array, Mask, same_bits
from verifier.record import Violation, current, first, place_of, show
from verifier.rule import Rule, maximized
from verifier.strategies import options_of

RAISED = "raised instead of stepping"
"""What a violation is called whose run ended in an exception of the optimizer's."""


def rule_of(subject: Subject, case: Case) -> Rule:
    """The rule the subject must follow on this case: its own, or its ascending form under `maximize`."""
    return _climbing(subject.rule) if case.maximize else subject.rule


_climbing = functools.lru_cache(maxsize=256)(maximized)  # the same rule each time, so that what is kept of it is found


def asked_once(subject: Subject, case: Case, what: str) -> bool:
    """Whether this is the case that is asked `what`: one of a format wide enough to tell it from rounding."""
    if subject.format.precision < FP32.precision:
        current().says_nothing("asked in float32 and float64 alone: narrower formats round away what it looks for")
        return False
    return current().first(what, case)


def run(subject: Subject, case: Case, *, stumbling: bool = False) -> Trajectory:
    """The subject's trajectory on `case`, counted; an exception of the optimizer is a violation.

    Options at which every step of this implementation or format raises are refused, unless `stumbling` is what is
    asked: they are one finding, of the law `accepted_options`, and say nothing of the others.
    """
    seen = current()
    if seen.listed and seen.violation is not None:
        raise seen.violation  # nothing to be learnt from a smaller case of a listed failure
    seen.saw(case, options_of(case))
    try:
        found = subject.run(case)
    except Refused:
        raise
    except Exception as error:  # foreign code: whatever it raises on a legitimate case is what was observed
        if not stumbling and _stumbles(subject, case, error):
            raise Refused(f"{subject.implementation} stumbles over some options: {type(error).__name__}") from error
        if _undecomposed(subject, error):
            raise Refused(f"a matrix of {subject.format.name} numbers is not decomposed: {error}") from error
        raise violation(
            RAISED, subject, case, observed=f"{type(error).__name__}: {error}", expected="a step"
        ) from error
    if found.facts.get("random") and not _draws(subject):
        raise Refused(f"it draws random numbers in {subject.format.name}, and else not")
    return found


def _undecomposed(subject: Subject, error: Exception) -> bool:
    """Whether a decomposition of a narrow format's numbers failed: rounded or overflown, a matrix may have none.

    What a matrix of them is without their rounding, float32 says: there the same error is a violation.
    """
    return subject.format.precision < FP32.precision and type(error).__name__.endswith("LinAlgError")


def _draws(subject: Subject) -> bool:
    """Whether the class is known to draw random numbers, so that contracts which compare runs are not asked of it."""
    one = getattr(subject.run, "args", (None,))[0]
    return bool(getattr(getattr(one, "signature", None), "draws", True))


def _stumbles(subject: Subject, case: Case, error: Exception) -> bool:
    """Whether an error is one that the options of some group raise by themselves, here and not everywhere."""
    one = getattr(subject.run, "args", (None,))[0]
    signature: Any = getattr(one, "signature", None)
    if not getattr(signature, "stumbles", {}):
        return False
    from verifier.subjects.torch_conventions import case_of
    from verifier.subjects.torch_stumbles import STEPS, kind

    if f"{subject.implementation} {subject.format.name}" not in signature.stumbles.get(kind(error), ()):
        return False
    shape = (3, 2) if signature.least_dimensions > 1 else (3,)
    steps = range(1, case.steps + 1) if case.schedule else (1,)
    options = [case.hyper_at(step, group) for step in steps for group in case.all_groups]
    if any("neighbour" in names for names in case.events.values()):
        options.append(signature.another(case.hyper))
    for hyper in options:
        try:
            subject.run(case_of(signature, [shape], hyper, STEPS))
        except Refused:
            continue
        except Exception as same:  # foreign code
            if kind(same) == kind(error):
                return True
    return False


def observed(trajectory: Trajectory, rule: Rule, name: str) -> Array | None:
    """theta, or the state variable called `name`; None where the subject cannot show it. shape=(steps + 1, elements)"""
    return trajectory.theta if name == rule.theta.name else trajectory.state.get(name)


def state_there(case: Case, seen: Trajectory, name: str) -> Mask:
    """Where a state variable is there at all, and no zero stands for it. shape=(steps + 1, elements)"""
    there = np.ones((case.steps + 1, len(case.theta)), dtype=bool)
    for one, row, tensor in seen.facts.get("lacking_state", ()):
        if one == name:
            there[row, case.slices[tensor]] = False
    return there


def keeps_norm(ran: Trajectory) -> bool:
    """Whether the elements move and their norm does not, with float32's digits: steps go along a sphere."""
    norms = np.linalg.norm(ran.theta, axis=1).astype(np.float32)
    return bool((norms == norms[0]).all() and (ran.theta.astype(np.float32) != ran.theta[0].astype(np.float32)).any())


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


def attempted(subject: Subject, case: Case) -> Trajectory | None:
    """The run; None where such options are refused, or raise, of which other laws tell."""
    try:
        return run(subject, case)
    except Refused:
        return None
    except Violation as found:
        if found.what != RAISED:
            raise
        current().violation = None
        return None
