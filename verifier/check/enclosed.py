"""Observed values against enclosures derived from the rule: closed forms, and every step of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from verifier import enclosure
from verifier.case import Case, Group, Subject, Trajectory
from verifier.check.seen import bits, observed, rule_of, run, violation
from verifier.enclosure import Enclosure
from verifier.evidence import Strength
from verifier.floats import Array
from verifier.record import Violation, current, first, place_of, range_text, show
from verifier.rule import Rule


def exact(subject: Subject, case: Case, names: str) -> tuple[Enclosure, ...]:
    """The values called `names` as the subject is given them, one real number an element.

    Tensors (theta, and the gradient g of the first step, g_1, g_2, ...) are rounded to the subject's format, since that
    is what it reads; hyperparameters are the doubles themselves, of the group an element belongs to.
    """
    return tuple(Enclosure.exact(_given(subject, case, name)) for name in names.split())


def _given(subject: Subject, case: Case, name: str) -> Array:
    rule = subject.rule
    if name == rule.theta.name:
        return subject.format.round(case.theta)
    stem, _, number = name.partition("_")
    if stem == rule.grad.name and (not number or number.isdigit()):
        grad = subject.format.round(case.grads[int(number or 1) - 1])
        return -grad if case.maximize else grad
    values = np.empty(case.theta.shape)
    for group in case.all_groups:
        values[case.elements_of(group)] = case.hyper_at(1, group)[name]
    return values


def follows(subject: Subject, case: Case, closed_form: Enclosure, step: int | None = None) -> None:
    """theta after `step` steps (default: the last) is `closed_form`, up to the rounding the rule itself admits.

    The closed form is a real number equal to the rule's value (that is what was proved); what an implementation of
    the rule may add to it by rounding is the rule's enclosure less the rule's real value, for one scalar profile.
    """
    state_follows(subject, case, subject.rule.theta.name, closed_form, step)


def state_follows(subject: Subject, case: Case, name: str, closed_form: Enclosure, step: int | None = None) -> None:
    """Like `follows`, for the state variable called `name`; inconclusive where the subject's state cannot be read."""
    seen = current()
    seen.strength = Strength.ENCLOSED
    step = case.steps if step is None else step
    trajectory = run(subject, case)
    values = observed(trajectory, subject.rule, name)
    if values is None:
        seen.notes[f"{name} cannot be read"] += 1
        return
    rule = rule_of(subject, case)
    best: tuple[int, Violation] | None = None
    for profile in enclosure.profiles(subject.format):
        rounded = enclosure.propagate(rule, subject.format, case, profile, steps=step)[step][name]
        real = enclosure.propagate(rule, subject.format, case, profile, steps=step, real=True)[step][name]
        allowed = closed_form.widened(rounded, real)
        inside = allowed.contains(values[step])
        if inside.all():
            vacuous = allowed.vacuous
            margins = allowed.margin(values[step])[~vacuous]
            seen.profiles[profile] += 1
            seen.compared(inside.size, int(vacuous.sum()), float(margins.max()) if margins.size else None)
            return
        found = _outside(f"{name} is not the closed form", subject, case, allowed, values[step], step)
        if best is None or int(inside.sum()) > best[0]:
            best = (int(inside.sum()), found)
    assert best is not None
    raise best[1]


def steps_enclosed(subject: Subject, case: Case) -> None:
    """Every step, from what was observed before it, lands inside the rule's enclosure: parameters and state.

    Checked once with the observed state before each step, and once carrying the state as an enclosure, as if it
    could not be read. One scalar profile must fit all elements of all steps.
    """
    trajectory_enclosed(subject, case, run(subject, case))


def trajectory_enclosed(subject: Subject, case: Case, trajectory: Trajectory) -> None:
    """What `steps_enclosed` asserts, of a trajectory already run on `case`."""
    current().strength = Strength.ENCLOSED
    rule = rule_of(subject, case)
    _unmoved_where_absent(subject, case, trajectory)
    readable = [s.name for s in rule.state if s.name in trajectory.state]
    _fits(subject, case, lambda profile: _anchored(rule, subject, case, trajectory, readable, profile))
    if rule.state:
        _fits(subject, case, lambda profile: _anchored(rule, subject, case, trajectory, [], profile))


Step = tuple[int, Array, str, Enclosure, Array]
"""(step, flat indices, name, what is allowed, what was observed)"""


def _fits(subject: Subject, case: Case, steps_of: Callable[[str], Iterator[Step]]) -> None:
    """Asserts that one scalar profile explains every step; otherwise raises for the profile that got furthest."""
    seen = current()
    best: tuple[int, Violation] | None = None
    for profile in enclosure.profiles(subject.format):
        elements = vacuous = 0
        margin = 0.0
        found: Violation | None = None
        for step, indices, name, allowed, values in steps_of(profile):
            inside = allowed.contains(values)
            if not inside.all():
                found = _outside(f"{name} left its enclosure", subject, case, allowed, values, step, indices)
                break
            empty = allowed.vacuous
            elements += inside.size
            vacuous += int(empty.sum())
            if not empty.all():
                margin = max(margin, float(allowed.margin(values)[~empty].max()))
        if found is None:
            seen.profiles[profile] += 1
            seen.compared(elements, vacuous, margin)
            return
        if best is None or elements > best[0]:
            best = (elements, found)
    assert best is not None
    raise best[1]


def _anchored(
    rule: Rule, subject: Subject, case: Case, trajectory: Trajectory, readable: list[str], profile: str
) -> Iterator[Step]:
    """The enclosure of each step, for each set of tensors that share hyperparameters and step number."""
    fmt, theta = subject.format, rule.theta.name
    unread = [s.name for s in rule.state if s.name not in readable]
    carried: dict[int, Mapping[str, Enclosure]] = {}
    counts = np.zeros(len(case.shapes), dtype=np.int64)
    for step in range(1, case.steps + 1):
        for group in case.all_groups:
            present = [k for k in sorted(group.tensors) if (step, k) not in case.absent and case.sizes[k]]
            counts[present] += 1
            hyper = case.hyper_at(step, group)
            for count in sorted({int(counts[k]) for k in present}):
                tensors = [k for k in present if counts[k] == count]
                indices = case.elements_of(Group(tuple(tensors)))
                state: dict[str, Array | Enclosure] = {n: trajectory.state[n][step - 1][indices] for n in readable}
                if unread:
                    for k in tensors:
                        if k not in carried:  # its first step: the state the rule starts from
                            start = trajectory.theta[step - 1][case.slices[k]]
                            carried[k] = enclosure.initial(rule, fmt, theta=start, hyper=hyper, profile=profile)
                    state |= {n: Enclosure.concatenate([carried[k][n] for k in tensors]) for n in unread}
                after = enclosure.step(
                    rule,
                    fmt,
                    theta=trajectory.theta[step - 1][indices],
                    grad=fmt.round(case.grads[step - 1][indices]),
                    state=state,
                    hyper=hyper,
                    t=count,
                    profile=profile,
                )
                yield step, indices, theta, after[theta], trajectory.theta[step][indices]
                for name in readable:
                    yield step, indices, name, after[name], trajectory.state[name][step][indices]
                ends = np.cumsum([0, *(case.sizes[k] for k in tensors)])
                for k, a, b in zip(tensors, ends[:-1], ends[1:], strict=True):
                    carried[k] = {n: after[n][a:b] for n in unread}


def _unmoved_where_absent(subject: Subject, case: Case, trajectory: Trajectory) -> None:
    """A tensor whose .grad is None is skipped: neither decayed nor moved (torch.optim, `Optimizer.step`)."""
    for step, tensor in sorted(case.absent):
        part = case.slices[tensor]
        before, after = trajectory.theta[step - 1], trajectory.theta[step]
        mask = np.zeros(before.shape, dtype=bool)
        mask[part] = True
        bits("moved although its .grad is None", subject, case, after, before, step, mask)


def _outside(
    what: str,
    subject: Subject,
    case: Case,
    allowed: Enclosure,
    values: Array,
    step: int,
    indices: Array | None = None,
) -> Violation:
    where = first(~allowed.contains(values))
    low, high = (float(x[where]) for x in allowed.allowed())
    value = float(values[where])
    ulps = min(float(subject.format.distance(np.array(value), np.array(edge))) for edge in (low, high))
    tensor, element = place_of(case, int(indices[where]) if indices is not None else where)
    return violation(
        what,
        subject,
        case,
        step=step,
        tensor=tensor,
        element=element,
        observed=show(value),
        expected=range_text(low, high),
        ulps=ulps,
    )
