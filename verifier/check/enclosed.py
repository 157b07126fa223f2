"""Observed values against enclosures derived from the rule: closed forms, and every step of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy

from verifier import enclosure
from verifier.case import Case, Subject, Trajectory
from verifier.check.distinct import once_each
from verifier.check.known import content, digest, once
from verifier.check.seen import bits, observed, rule_of, run, violation
from verifier.enclosure import Enclosure
from verifier.evidence import Strength
from verifier.floats import FP32, FP64, Array, Format, Indices, Mask, same_bits
from verifier.record import Violation, current, place_of, range_text, show
from verifier.rule import Rule, shared


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
    before, best = seen.violation, None  # a profile that does not fit is no violation where another one does
    real = _propagated(rule, subject, case, step, "each", real=True)[name]
    for profile in enclosure.profiles(subject.format, held=_keeps_scalars(rule), lerps=subject.lerps):
        rounded = _propagated(rule, subject, case, step, profile, real=False)[name]
        allowed = closed_form.widened(rounded, real)
        inside = allowed.contains(values[step])
        if inside.all():
            vacuous = allowed.vacuous
            margins = allowed.margin(values[step])[~vacuous]
            seen.violation = before
            seen.profiles[profile] += 1
            seen.compared(inside.size, int(vacuous.sum()), float(margins.max()) if margins.size else None)
            return
        found = _outside(
            f"{name} is not the closed form",
            subject,
            case,
            allowed,
            values[step],
            np.full(inside.size, step),
            np.arange(inside.size),
        )
        if best is None or int(inside.sum()) > best[0]:
            best = (int(inside.sum()), found)
    assert best is not None
    seen.violation = best[1]
    raise best[1]


def _propagated(
    rule: Rule, subject: Subject, case: Case, step: int, profile: str, *, real: bool
) -> Mapping[str, Enclosure]:
    def find() -> Mapping[str, Enclosure]:
        return enclosure.propagate(rule, subject.format, case, profile, steps=step, real=real)[step]

    return once(find, "propagate", rule, subject.format, content(case), step, profile, real)


def steps_enclosed(subject: Subject, case: Case) -> None:
    """Every step, from what was observed before it, lands inside the rule's enclosure: parameters and state.

    One scalar profile must fit all elements of all steps.
    """
    trajectory_enclosed(subject, case, run(subject, case))


def steps_enclosed_blind(subject: Subject, case: Case) -> None:
    """Every step lands inside the rule's enclosure, though the state is not read but carried as an enclosure.

    Parameters are re-anchored on what was observed. What could be demanded of an optimizer that hides its state, and
    of the state's own arithmetic: a state that drifts step by step shows here.
    """
    trajectory = run(subject, case)
    current().strength = Strength.ENCLOSED
    rule = rule_of(subject, case)
    _fits(subject, case, lambda profile: _carried(rule, subject, case, trajectory, profile))


def trajectory_enclosed(subject: Subject, case: Case, trajectory: Trajectory, *, finite: bool = False) -> None:
    """What `steps_enclosed` asserts, of a trajectory already run on `case`; with `finite`, of steps from finite values.

    Rules read out of code have no terms whose factor is 0: what such a term makes of an infinity is not in them. Who
    turns the step to ascend, and not the gradient, keeps the opposite of the rule's state: that of a descent.
    """
    try:
        _trajectory_enclosed(subject, case, trajectory, finite)
    except Violation:
        kept = _of_descent(subject, case, trajectory)
        if kept is None:
            raise
        current().violation = None
        _trajectory_enclosed(subject, case, kept, finite)


def _of_descent(subject: Subject, case: Case, trajectory: Trajectory) -> Trajectory | None:
    """An ascending run, with those of its states turned whose opposites the same descent keeps; None without any."""
    if not case.maximize:
        return None
    falls = run(subject, case.with_(maximize=False, grads=-case.grads)).state
    turned = {n: -v for n, v in trajectory.state.items() if n in falls and v.any() and (falls[n] == -v).all()}
    return replace(trajectory, state={**trajectory.state, **turned}) if turned else None


def _trajectory_enclosed(subject: Subject, case: Case, trajectory: Trajectory, finite: bool) -> None:
    current().strength = Strength.ENCLOSED
    rule = rule_of(subject, case)
    _unmoved_where_absent(subject, case, trajectory)
    told = all(sympy.sympify(value).is_Atom for value in rule.state.values())  # what starts computed starts rounded
    if told and all(s.name in trajectory.state for s in rule.state):
        _fits(subject, case, lambda profile: _anchored(rule, subject, case, trajectory, profile), finite)
    else:
        _fits(subject, case, lambda profile: _carried(rule, subject, case, trajectory, profile), finite)


def _held_in(fmt: Format, values: Array) -> Format:
    """The format that observed values are kept in: the parameters' own, or the narrowest wider one that holds them.

    State of fp32 beside narrower parameters holds values that those could not.
    """
    wider = (other for other in (FP32, FP64) if other.precision > fmt.precision)
    return next((one for one in (fmt, *wider) if same_bits(one.round(values), values).all()), fmt)


def steps_leave_coarse(subject: Subject, case: Case, trajectory: Trajectory) -> bool:
    """Whether a step of a fine trajectory lies outside what fp32 arithmetic makes of the rule, from about the same.

    Each step starts from the fp32 values around the observed parameters and from the carried state; the result is
    widened to the fp32 values around it.
    """
    rule = rule_of(subject, case)
    coarse = replace(subject, format=FP32)
    wide = replace(trajectory, theta=FP32.round(trajectory.theta))
    for profile in enclosure.profiles(FP32, held=_keeps_scalars(rule), lerps=subject.lerps):
        for held in _carried(rule, coarse, case, wide, profile, around=trajectory.theta):
            low, high = held.allowed.allowed()
            fine = trajectory.theta[held.steps, held.indices]
            inside = (fine >= np.nextafter(low.astype(np.float32), -np.inf, dtype=np.float32)) & (
                fine <= np.nextafter(high.astype(np.float32), np.inf, dtype=np.float32)
            )
            inside |= held.allowed.vacuous | (held.allowed.where_nan() & np.isnan(fine))
            if not inside.all():
                break
        else:
            return False
    return True


def _keeps_scalars(rule: Rule) -> bool:
    """Whether some state is one scalar for all elements, kept in a format of its own."""
    return bool(shared(rule) & set(rule.state))


@dataclass(frozen=True)
class Held:
    """Observed values of one name against what is allowed: step and flat index of each. All shape=(n,)."""

    name: str
    steps: Indices
    indices: Indices
    allowed: Enclosure
    observed: Array
    finite: Mask  # whether all that the step read is finite, as far as it was seen
    times: Indices  # how many elements and steps this one stands for: see `once_each`

    def started_finite(self) -> Held:
        """Those of the values whose steps began with finite ones."""
        if self.finite.all():
            return self
        where = np.flatnonzero(self.finite)
        rest = (self.steps[where], self.indices[where], self.allowed[where], self.observed[where])
        return Held(self.name, *rest, self.finite[where], self.times[where])


def _fits(subject: Subject, case: Case, held_by: Callable[[str], Iterator[Held]], finite: bool = False) -> None:
    """Asserts that one scalar profile explains every step; otherwise raises for the profile that got furthest."""
    seen = current()
    before, best = seen.violation, None
    for profile in enclosure.profiles(subject.format, _keeps_scalars(subject.rule), subject.counted, subject.lerps):
        elements = vacuous = 0
        margin = 0.0
        found: Violation | None = None
        for held in held_by(profile):
            held = held.started_finite() if finite else held
            inside = held.allowed.contains(held.observed)
            elements += int(held.times[inside].sum())
            if not inside.all():
                what = f"{held.name} left its enclosure"
                found = _outside(what, subject, case, held.allowed, held.observed, held.steps, held.indices)
                break
            empty = held.allowed.vacuous
            vacuous += int(held.times[empty].sum())
            if not empty.all():
                margin = max(margin, float(held.allowed.margin(held.observed)[~empty].max()))
        if found is None:
            seen.violation = before
            seen.profiles[profile] += 1
            seen.compared(elements, vacuous, margin)
            return
        if best is None or elements > best[0]:
            best = (elements, found)
    assert best is not None
    seen.violation = best[1]
    raise best[1]


def _anchored(rule: Rule, subject: Subject, case: Case, trajectory: Trajectory, profile: str) -> Iterator[Held]:
    """All steps at once: each starts from observed values, so none waits for another."""
    plan = enclosure.slots(case, case.steps)
    steps, indices = np.nonzero(plan.present)
    if not steps.size:
        return
    names = [s.name for s in rule.state]
    rows = {**trajectory.state, rule.theta.name: trajectory.theta}
    after = [rows[n][1:] for n in (*names, rule.theta.name)]
    before = [case.grads, plan.of, *(rows[n][:-1] for n in (*names, rule.theta.name))]
    steps, indices, times = once_each(steps, indices, *before, *after)
    theta = trajectory.theta[steps, indices]
    state = {n: trajectory.state[n][steps, indices] for n in names}

    def find() -> Mapping[str, Enclosure]:
        return enclosure.step(
            rule,
            subject.format,
            theta=theta,
            grad=subject.format.round(case.grads[steps, indices]),
            state=state,
            hyper=plan.hyper,
            t=plan.count,
            of=plan.of[steps, indices],
            profile=profile,
        )

    read = [theta, subject.format.round(case.grads[steps, indices]), *state.values()]
    finite = np.asarray(np.isfinite(np.stack(read)).all(axis=0))
    asked = digest(theta, *state.values(), steps, indices)
    made = once(find, "step", rule, subject.format, content(case), asked, profile)
    for name in (*names, rule.theta.name):  # state first: theta is computed from it
        values = trajectory.theta if name == rule.theta.name else trajectory.state[name]
        values = values[steps + 1, indices]
        wide = subject.format if name == rule.theta.name else _held_in(subject.format, values)
        yield Held(name, steps + 1, indices, enclosure.held_in(made[name], wide), values, finite, times)


def _carried(
    rule: Rule, subject: Subject, case: Case, trajectory: Trajectory, profile: str, around: Array | None = None
) -> Iterator[Held]:
    """Step after step: theta from what was observed, the state from the enclosure of the step before.

    With `around`, finer values of which the trajectory's are roundings, theta starts from the values around those.
    """
    fmt, theta = subject.format, trajectory.theta

    def find() -> Enclosure:
        start = None if around is None else _about(fmt, around[:-1].reshape(-1))
        return enclosure.carried(rule, fmt, case, theta, profile, start)

    read = digest(theta) if around is None else digest(theta, around)
    allowed = once(find, "carried", rule, fmt, content(case), read, profile)
    steps, indices = np.nonzero(enclosure.slots(case, case.steps).present)
    if steps.size:
        taken = steps * case.theta.size + indices
        seen = np.isfinite(theta[:-1]) & np.isfinite(fmt.round(case.grads))
        finite = np.asarray(np.logical_and.accumulate(seen))[steps, indices]  # the state remembers what was not
        values, times = theta[steps + 1, indices], np.ones(steps.size, np.int64)
        yield Held(rule.theta.name, steps + 1, indices, allowed[taken], values, finite, times)


def _about(fmt: Format, before: Array) -> Enclosure:
    """The values of the format on both sides of finer ones."""
    low, high = (np.nextafter(fmt.round(before).astype(np.float32), end, dtype=np.float32) for end in (-np.inf, np.inf))
    return Enclosure(low.astype(np.float64), high.astype(np.float64), fmt)


def _unmoved_where_absent(subject: Subject, case: Case, trajectory: Trajectory) -> None:
    """A tensor whose .grad is None is skipped: neither decayed nor moved (torch.optim, `Optimizer.step`)."""
    for step, tensor in sorted(case.absent):
        part = case.slices[tensor]
        before, after = trajectory.theta[step - 1], trajectory.theta[step]
        mask = np.zeros(before.shape, dtype=bool)
        mask[part] = True
        bits("moved although its .grad is None", subject, case, after, before, step, mask)


def _outside(
    what: str, subject: Subject, case: Case, allowed: Enclosure, values: Array, steps: Indices, indices: Indices
) -> Violation:
    """The violation at the earliest step, and there the first element, that lies outside."""
    outside = np.flatnonzero(~allowed.contains(values))
    where = outside[np.lexsort((indices[outside], steps[outside]))[0]]
    low, high = (float(x[where]) for x in allowed.allowed())
    value = float(values[where])
    ulps = min(float(subject.format.distance(np.array(value), np.array(edge))) for edge in (low, high))
    tensor, element = place_of(case, int(indices[where]))
    return violation(
        what,
        subject,
        case,
        step=int(steps[where]),
        tensor=tensor,
        element=element,
        observed=show(value),
        expected=range_text(low, high),
        ulps=ulps,
    )
