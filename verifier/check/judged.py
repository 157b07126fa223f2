"""Whether rounding alone explains a run: every step must lie in the enclosure of a rule read out of the very code."""

from __future__ import annotations

import contextvars
import enum
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy

from verifier import record
from verifier.case import Case, Group, Refused, Subject, Trajectory
from verifier.check.enclosed import steps_leave_coarse, trajectory_enclosed
from verifier.check.seen import RAISED, run
from verifier.floats import FP16, FP32, FP64, Format, same_bits
from verifier.rule import Rule, RuleError


class Judgement(enum.Enum):
    """What can be said of a run whose bits are not those of another."""

    ROUNDING = "every step is a rounding of the rule"
    OTHERWISE = "a step is no rounding of the rule"
    UNKNOWN = "there is no rule to tell rounding from a mistake by"


def judged(subject: Subject, case: Case, rule: Rule | None = None) -> Judgement:
    """Whether each step the subject takes on `case` lies in the enclosure of a form of its own code, group by group.

    With `rule`, of a form proved to be that rule. The state is read where the code names it. UNKNOWN where no rule of
    one element could be read out of the code under these options, where the run draws random numbers, or where the
    code keeps more digits of a parameter in this format than the parameter holds.
    """
    implementation = _implementation(subject, case)
    verdict = Judgement.ROUNDING
    for group in case.all_groups:
        if not any(case.sizes[k] for k in group.tensors):
            continue
        found = _of_group(subject, case, group, implementation, rule)
        if isinstance(found, record.Violation):
            return Judgement.OTHERWISE if _stands(found, subject, case) else Judgement.UNKNOWN
        verdict = found if found is Judgement.UNKNOWN else verdict
    return verdict


def departure(subject: Subject, case: Case) -> record.Violation | None:
    """The first step of a run that is no rounding of the rule read out of its own code; None where there is none.

    What could not be told is noted as undecided, what could is counted.
    """
    seen = record.current()
    implementation = _implementation(subject, case)
    for number, group in enumerate(case.all_groups):
        if not any(case.sizes[k] for k in group.tensors):
            continue
        found = _of_group(subject, case, group, implementation, None)
        if isinstance(found, record.Violation) and _stands(found, subject, case):
            where = f" (group {number})" if len(case.groups) > 1 else ""
            words = f"{found.what.partition(' ')[0]}{where} is not what the rule read out of the code gives"
            told = record.Violation(
                RAISED if found.what == RAISED else words,
                subject=subject,
                case=case,
                tensor=sorted(group.tensors)[found.tensor] if found.tensor is not None else None,
                observed=found.observed,
                expected=found.expected,
                step=found.step,
                element=found.element,
                ulps=found.ulps,
            )
            seen.violation = told
            return told
        if found is Judgement.ROUNDING:
            seen.compared(case.steps * sum(case.sizes[k] for k in group.tensors))
        else:
            seen.undecided[Judgement.UNKNOWN.value] += 1
    return None


def _implementation(subject: Subject, case: Case) -> str:
    """The implementation that runs: the subject's, or the one the case's events ask for."""
    asked = [name.partition(":")[2] for name in case.events.get(0, ()) if name.startswith("implementation:")]
    known = getattr(_foreign(subject).signature, "implementations", ())
    return next((name for name in asked if name in known), subject.implementation)


def _foreign(subject: Subject) -> Any:
    """The class under audit behind a subject, in its implementation and format."""
    return subject.run.args[0]  # type: ignore[attr-defined]  # a partial of `torch_foreign.run`


def _of_group(
    subject: Subject, case: Case, group: Group, implementation: str, rule: Rule | None
) -> Judgement | record.Violation:
    """Whether some form encloses the steps of one group; the violation of the first that does not, if none does."""
    one = _foreign(subject)
    fixed = subject.run.args[1]  # type: ignore[attr-defined]
    if one.signature.forms is None or (case.schedule and "schedule" in one.signature.exempt):
        return Judgement.UNKNOWN
    if one.signature.of_vectors and any(len(case.shapes[k]) > 1 for k in group.tensors):
        return Judgement.UNKNOWN
    hyper = {**one.signature.defaults, **case.hyper, **fixed}
    found: Judgement | record.Violation = Judgement.UNKNOWN
    whole = case.with_(hyper=hyper)
    later = [whole.hyper_at(step, group) for step in sorted(case.schedule)]
    for form in one.signature.forms.of(implementation, {**hyper, **group.hyper}, rule, later):
        if not form.captured <= set(hyper) or any(_changes(whole, group, name) for name in form.captured):
            continue
        if _beyond(form.rule, subject.format):
            continue
        reader = replace(one, rule=form.rule, state_names=form.states)
        as_form = replace(subject, rule=form.rule, run=_partial(reader, fixed))
        answer = contextvars.copy_context().run(_encloses, as_form, case.with_(hyper=hyper), group)
        if answer is Judgement.ROUNDING:
            return answer
        found = answer if found is Judgement.UNKNOWN else found
    return found


def _beyond(rule: Rule, fmt: Format) -> bool:
    """Whether a formula has a number that the format cannot hold: 1/1e-15 for a constant the code divides by."""
    if fmt is not FP16:
        return False
    numbers = {abs(n) for _, line in rule.step for n in sympy.sympify(line).atoms(sympy.Rational)}
    return any(n > fmt.largest for n in numbers)


def _changes(case: Case, group: Group, name: str) -> bool:
    """Whether a group or a schedule gives an option another value than the constructor was given."""
    given = {case.hyper[name], case.hyper_at(1, group)[name]}
    return len(given | {case.hyper_at(step, group)[name] for step in case.schedule}) > 1


def _partial(reader: Any, fixed: Any) -> Any:
    import functools

    from verifier.subjects.torch_foreign import _run_fixed

    return functools.partial(_run_fixed, reader, fixed)


def in_format(subject: Subject, name: str) -> Callable[[Case], Trajectory]:
    """What runs a case with the same class and implementation in another format."""
    one, fixed = subject.run.args  # type: ignore[attr-defined]  # a partial of `torch_foreign.run`
    run_there: Callable[[Case], Trajectory] = _partial(one.other(name), fixed)
    return run_there


def _encloses(subject: Subject, case: Case, group: Group) -> Judgement | record.Violation:
    """Whether the group's steps lie in the enclosure of the subject's rule; in a context with a record of its own."""
    seen = record.start()
    try:
        whole = run(subject, case)
        if _untold(whole):
            return Judgement.UNKNOWN
        index = case.elements_of(group)
        mine, trajectory = (
            _part(case, group),
            Trajectory(whole.theta[:, index], {n: rows[:, index] for n, rows in whole.state.items()}),
        )
        trajectory_enclosed(subject, mine, trajectory, finite=True)
    except record.Violation as violation:
        return violation
    except (RuleError, ArithmeticError, Refused):  # outside what enclosures, or the optimizer, cover
        return Judgement.UNKNOWN
    return Judgement.UNKNOWN if seen.empty else Judgement.ROUNDING


def _part(case: Case, group: Group) -> Case:
    """The case as one group sees it."""
    tensors = sorted(group.tensors)
    index = case.elements_of(group)
    place = {old: new for new, old in enumerate(tensors)}
    return case.with_(
        shapes=tuple(case.shapes[k] for k in tensors),
        theta=case.theta[index],
        grads=case.grads[:, index],
        hyper={**case.hyper, **group.hyper},
        groups=(),
        absent=frozenset((step, place[k]) for step, k in case.absent if k in place),
        events={},
    )


def _stands(found: record.Violation, subject: Subject, case: Case) -> bool:
    """Whether a violation of a form of the code is one of the code: it raised, or keeps no digits the form lacks."""
    return found.what == RAISED or not _hides(subject, case)


def _hides(subject: Subject, case: Case) -> bool:
    """Whether the code keeps, in this format alone, state that holds more digits of a parameter than it shows.

    A compensation term is known by being kept in this format and not in fp64. A master copy is known by rounding to
    the parameter after every step; then the run must be that of the same class in fp32, rounded, and is judged so.
    """
    one = _foreign(subject)
    if subject.format.precision >= FP32.precision:
        return False
    plain = replace(one, rule=None, state_names=frozenset())
    fixed = subject.run.args[1]  # type: ignore[attr-defined]
    here = _partial(plain, fixed)(case)
    there = _partial(plain.other("float64"), fixed)(case)
    more = set(here.state) - set(there.state)
    if not more:
        return False
    masters = [name for name in more if _is_master(subject.format, here, name)]
    if not masters:
        return True
    fmt = subject.format
    narrow = case.with_(theta=fmt.round(case.theta), grads=fmt.round(case.grads))
    wide = _partial(plain.other("float32"), fixed)(narrow)
    return bool(same_bits(fmt.round(wide.theta), here.theta).all())


def _is_master(fmt: Format, run: Trajectory, name: str) -> bool:
    """Whether a state rounds to its parameter at every step it exists, and is not the parameter itself."""
    rows = run.state[name][1:]
    there = (rows != 0).any(axis=1)
    return bool(there.any() and same_bits(fmt.round(rows[there]), run.theta[1:][there]).all())


def leaves_coarse(subject: Subject, case: Case) -> bool:
    """Whether the subject's fp64 run takes a step that not even fp32 arithmetic of its rule can give.

    Inputs and result of each step are widened to the fp32 values around them. However an implementation arranges the
    rule, its fp64 steps are that much nearer to it; so this needs no form of the code. Parameters are read, the state
    is carried as an enclosure.
    """
    narrow = case.with_(theta=FP32.round(case.theta), grads=FP32.round(case.grads))
    fine = replace(subject, format=FP64, run=in_format(subject, "float64"))
    return contextvars.copy_context().run(_outside_coarse, fine, narrow)


def _untold(seen: Trajectory) -> bool:
    """Whether no enclosure holds a run: it draws random numbers, or keeps state coarser than its parameters."""
    return bool(seen.facts.get("random") or seen.facts.get("coarse_state"))


def _outside_coarse(subject: Subject, case: Case) -> bool:
    record.start()
    try:
        seen = subject.run(case)
        if _untold(seen):
            return False
        return steps_leave_coarse(subject, case, seen)
    except (record.Violation, RuleError, ArithmeticError, Refused):
        return False


def decided(what: str, verdict: Judgement, found: record.Violation) -> None:
    """Raises `found` where the verdict is that it is no rounding; notes what was told, or could not be."""
    seen = record.current()
    if verdict is Judgement.OTHERWISE:
        seen.violation = found
        raise found from None
    seen.violation = None
    if verdict is Judgement.ROUNDING:
        seen.notes[f"{what}, by rounding alone"] += 1
    else:
        seen.undecided[f"{what}; {verdict.value}"] += 1
