"""The three paths to an L2 penalty: in the loss through autograd, as weight_decay, and as weight_decay of groups."""

from __future__ import annotations

import numpy as np

from verifier import lineup
from verifier.case import Case, Group, Subject, Trajectory
from verifier.check.enclosed import trajectory_enclosed
from verifier.check.seen import bits, run, violation
from verifier.evidence import Strength
from verifier.floats import FP32, Array, Mask, same_bits
from verifier.record import current, first, place_of, range_text, show

DECAY = "weight_decay"


def paths_agree(subject: Subject, case: Case) -> None:
    """The three paths give the same bits at every step, where weight_decay is a power of two.

    Theorem: if weight_decay * w is representable, g + rn(rn(lam) * 2w) = rn(g + weight_decay * w), however the
    implementation contracts the sum; the rest of the step is the same code. Elements whose product underflows, or
    whose 2w overflows, leave the theorem and are not compared from there on; nor is a fused kernel narrower than fp32
    compared with the penalty, since it keeps g + weight_decay * w in an fp32 register where autograd must round it to
    .grad.
    """
    runs = _three(subject, case)
    if runs is None:
        return
    penalty, plain, groups = runs
    for step in range(case.steps + 1):
        _same("groups differ from one weight_decay", subject, case, groups, plain, step)
    if subject.implementation == "fused" and subject.format.precision < FP32.precision:
        current().notes["a fused kernel keeps the decayed gradient in fp32, so the penalty may round otherwise"] += 1
        return
    exact = np.ones(case.theta.shape, dtype=bool)
    for step in range(case.steps + 1):
        _same("the penalty in the loss differs from weight_decay", subject, case, penalty, plain, step, exact)
        if step < case.steps:
            product = _decay(case, step + 1) * plain.theta[step]
            exact &= same_bits(subject.format.round(product), product)
            exact &= np.isfinite(subject.format.round(2.0 * plain.theta[step]))


def paths_enclosed(subject: Subject, case: Case) -> None:
    """The three paths follow one rule, whatever weight_decay is: no path leaves the others' enclosure.

    Penalty: the gradient autograd left in .grad is rn(g + rn(lam * 2w)), and the step taken from
    it lies in the rule's enclosure without decay. weight_decay and groups: each step lies in the rule's enclosure.
    """
    runs = _three(subject, case)
    if runs is None:
        return
    current().strength = Strength.ENCLOSED
    penalty, plain, groups = runs
    _gradient_admissible(subject, case, penalty)
    assert penalty.grads is not None
    off = case.with_(
        grads=penalty.grads,
        hyper={**case.hyper, DECAY: 0.0},
        groups=tuple(Group(g.tensors, {**g.hyper, DECAY: 0.0}) for g in case.groups),
        schedule={step: {n: v for n, v in changes.items() if n != DECAY} for step, changes in case.schedule.items()},
    )
    trajectory_enclosed(subject, off, penalty)
    trajectory_enclosed(subject, case, plain)
    trajectory_enclosed(subject, case, groups)


def _three(subject: Subject, case: Case) -> tuple[Trajectory, Trajectory, Trajectory] | None:
    """The trajectories of the penalty, weight_decay and groups paths."""
    found = [lineup.along(subject, path) for path in ("penalty", "weight_decay", "groups")]
    penalty, plain, groups = found
    if penalty is None or plain is None or groups is None:
        current().notes["this subject has no paths"] += 1
        return None
    return run(penalty, case), run(plain, case), run(groups, case)


def _decay(case: Case, step: int) -> Array:
    """weight_decay of each element at `step`. shape=(elements,)"""
    decay = np.zeros(case.theta.shape)
    for group in case.all_groups:
        decay[case.elements_of(group)] = case.hyper_at(step, group)[DECAY]
    return decay


def _same(
    what: str,
    subject: Subject,
    case: Case,
    seen: Trajectory,
    expected: Trajectory,
    step: int,
    mask: Mask | None = None,
) -> None:
    bits(what, subject, case, seen.theta[step], expected.theta[step], step, mask)
    for name in sorted(set(seen.state) & set(expected.state)):
        bits(f"{what} ({name})", subject, case, seen.state[name][step], expected.state[name][step], step, mask)


def _gradient_admissible(subject: Subject, case: Case, penalty: Trajectory) -> None:
    """Each gradient is rn(g + rn(lam * rn(2w))), with lam rounded to the format, or to fp32 where that is wider.

    Doubling is exact unless it overflows, which it does where 2 * lam * w need not.
    """
    fmt = subject.format
    assert penalty.grads is not None
    for step in range(1, case.steps + 1):
        present = np.ones(case.theta.shape, dtype=bool)
        for tensor in (k for s, k in case.absent if s == step):
            present[case.slices[tensor]] = False
        g = fmt.round(case.grads[step - 1])
        lam = _decay(case, step) / 2 * (-1.0 if case.maximize else 1.0)
        doubled = fmt.round(2.0 * penalty.theta[step - 1])
        # Autograd adds in a kernel of its own, so nothing contracts. Both roundings are innocuous in float64: products
        # have at most 48 bits, and a sum of two narrow values needs 2p + 2 (Figueroa 1995); fp64 itself rounds once.
        scalars = (fmt.round(lam), FP32.round(lam)) if fmt.precision < FP32.precision else (fmt.round(lam),)
        with np.errstate(invalid="ignore"):  # nothing times an overflow is NaN, in autograd too
            candidates = [fmt.round(g + fmt.round(scalar * doubled)) for scalar in scalars]
        seen = penalty.grads[step - 1]
        inside = np.any([same_bits(seen, c) | (seen == c) for c in candidates], axis=0) | ~present
        current().compared(int(present.sum()))
        if not inside.all():
            where = first(~inside)
            tensor, element = place_of(case, where)
            values = [float(c[where]) for c in candidates]
            raise violation(
                "autograd's gradient of the penalty is not a rounding of g + 2*lam*w",
                subject,
                case,
                step=step,
                tensor=tensor,
                element=element,
                observed=show(float(seen[where])),
                expected=range_text(min(values), max(values)),
            )
