"""Two runs of one subject, related by a follow-up that is exact in binary floating point: bits are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from verifier.case import Case, Group, Subject, Trajectory
from verifier.check.pairs import compared
from verifier.check.seen import bits, observed, run, violation
from verifier.floats import Array, same_bits
from verifier.record import current, first, place_of, range_text, show


def same_trajectory(
    what: str,
    subject: Subject,
    case: Case,
    seen: Trajectory,
    expected: Trajectory,
    *,
    state: bool = True,
    signed_zeros: bool = True,
) -> None:
    """Two runs have the same bits after every step: parameters, and, with `state`, the state both can show."""
    names = sorted(set(seen.state) & set(expected.state)) if state else ()
    pairs = [(seen.theta, expected.theta), *((seen.state[name], expected.state[name]) for name in names)]
    if _equal(case, pairs):
        return
    for step in range(case.steps + 1):
        bits(what, subject, case, seen.theta[step], expected.theta[step], step, signed_zeros=signed_zeros)
        for name in names:
            values, others = seen.state[name][step], expected.state[name][step]
            bits(f"{what} ({name})", subject, case, values, others, step, signed_zeros=signed_zeros)


def _equal(case: Case, pairs: Sequence[tuple[Array, Array]]) -> bool:
    """Whether all rows have the same bits, which is then counted: quicker than row by row."""
    rows = slice(case.steps + 1)
    if not all(a.shape == b.shape and same_bits(a[rows], b[rows]).all() for a, b in pairs):
        return False
    for values, _ in pairs:
        current().compared(int(values[rows].size))
    return True


def same_run(
    subject: Subject,
    case: Case,
    other: Case,
    *,
    theta: float = 1.0,
    state: Mapping[str, float] | None = None,
    what: str = "the follow-up run differs",
) -> None:
    """Running `other` gives the run of `case` with theta multiplied by `theta` and each named state by its factor.

    The factors are powers of two or their negatives, so the products are exact; bits are compared. Under a negative
    factor zeros of either sign are one: rounding is odd, but x - x is +0 whatever the sign of x.
    """
    source, follow_up = run(subject, case), run(subject, other)
    factors = state or {}
    expected = Trajectory(
        theta=source.theta * theta,
        state={name: values * factors.get(name, 1.0) for name, values in source.state.items() if name in factors},
    )
    positive = theta > 0 and all(factor > 0 for factor in factors.values())
    if theta == 1.0:
        with compared(other, case):
            same_trajectory(what, subject, other, follow_up, expected, signed_zeros=positive)
    else:
        same_trajectory(what, subject, other, follow_up, expected, signed_zeros=positive)


def frozen(subject: Subject, case: Case, name: str = "theta") -> None:
    """`name` (theta or a state variable) keeps its bits through every step."""
    trajectory = run(subject, case)
    values = observed(trajectory, subject.rule, name)
    if values is None:
        current().notes[f"{name} cannot be read"] += 1
        return
    for step in range(1, case.steps + 1):
        bits(f"{name} moved", subject, case, values[step], values[0], step)


def monotone(subject: Subject, case: Case, name: str, direction: str = "nondecreasing") -> None:
    """The state variable `name` never falls ("nondecreasing") or never rises ("nonincreasing"); NaN is neither.

    Elements that overflow are vacuous from there on: inf - inf is NaN by the rules of arithmetic, not by a mistake.
    """
    trajectory = run(subject, case)
    values = observed(trajectory, subject.rule, name)
    if values is None:
        current().notes[f"{name} cannot be read"] += 1
        return
    finite = np.ones(case.theta.shape, dtype=bool)
    for step in range(1, case.steps + 1):
        before, after = values[step - 1], values[step]
        finite &= np.isfinite(before) & np.isfinite(trajectory.theta[step - 1])
        holds = (after >= before if direction == "nondecreasing" else after <= before) | ~finite
        current().compared(holds.size, int((~finite).sum()))
        if not holds.all():
            where = first(~holds)
            tensor, element = place_of(case, where)
            sign = ">=" if direction == "nondecreasing" else "<="
            raise violation(
                f"{name} is not {direction}",
                subject,
                case,
                step=step,
                tensor=tensor,
                element=element,
                observed=show(float(after[where])),
                expected=f"{sign} {show(float(before[where]))}",
            )


def deterministic(subject: Subject, case: Case) -> None:
    """Two runs of the same case have the same bits, whatever is left in the memory that they are given."""
    clean, other = (case.with_(events={**case.events, 0: (f"dirty:{value}",)}) for value in ("0", "nan"))
    with compared(other, clean):
        same_run(subject, clean, other, what="a second run of the same case differs")


def maximize(subject: Subject, case: Case) -> None:
    """`maximize` equals negated gradients: ascending a function is descending its negative."""
    other = case.with_(maximize=True, grads=-case.grads)
    same_trajectory(
        "maximize differs from negated gradients",
        subject,
        other,
        run(subject, other),
        run(subject, case.with_(maximize=False)),
    )


def leaves_gradients(subject: Subject, case: Case) -> None:
    """A step reads gradients and leaves them as they are."""
    trajectory = run(subject, case)
    if trajectory.grads is None or trajectory.grads_after is None:
        current().notes["gradients after a step cannot be read"] += 1
        return
    for step in range(1, case.steps + 1):
        present = np.ones(case.theta.shape, dtype=bool)
        for tensor in (k for s, k in case.absent if s == step):
            present[case.slices[tensor]] = False
        after, before = trajectory.grads_after[step - 1], trajectory.grads[step - 1]
        bits(".grad was changed by the step", subject, case, after, before, step, present)


def between(subject: Subject, case: Case, name: str, low: str, high: str) -> None:
    """After every step a tensor takes, its state `name` lies between two hyperparameters rounded to its format."""
    trajectory = run(subject, case)
    values = observed(trajectory, subject.rule, name)
    if values is None:
        current().notes[f"{name} cannot be read"] += 1
        return
    for step in range(1, case.steps + 1):
        for group in case.all_groups:
            hyper = case.hyper_at(step, group)
            bottom, top = (float(subject.format.round(np.array(hyper[bound]))) for bound in (low, high))
            stepped = tuple(k for k in group.tensors if (step, k) not in case.absent)
            index = case.elements_of(Group(stepped))
            now = values[step][index]
            holds = (now >= bottom) & (now <= top)
            current().compared(holds.size)
            if not holds.all():
                where = first(~holds)
                tensor, element = place_of(case, int(index[where]))
                raise violation(
                    f"{name} left its bounds",
                    subject,
                    case,
                    step=step,
                    tensor=tensor,
                    element=element,
                    observed=show(float(now[where])),
                    expected=range_text(bottom, top),
                )
