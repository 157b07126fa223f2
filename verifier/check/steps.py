"""What any step does, whatever its rule: it can be taken, and decay alone brings parameters towards zero."""

from __future__ import annotations

import numpy as np

from verifier.case import Case, Subject
from verifier.check.alike import breach
from verifier.check.coarser import farther_than_rounding
from verifier.check.seen import run
from verifier.floats import Array, Mask
from verifier.record import current, first, place_of, show


def can_step(subject: Subject, case: Case) -> None:
    """The steps of a case raise nothing."""
    current().compared(run(subject, case, stumbling=True).theta.size)


def decays(subject: Subject, case: Case) -> None:
    """On the first step, without a gradient, weight decay moves no parameter away from zero, and none that is zero.

    What the step moves without decay as well is left out. Where a step reads whole tensors, single elements may move
    as the others bid; that all of a tensor's elements move away is wrong there. What moves by less than rounding moves
    a run in the next coarser format is a rounding; coupled decay may overshoot zero, as Adam's steps of size lr do.
    """
    one = case.with_(
        grads=np.zeros((1, len(case.theta))), groups=(), schedule={}, absent=frozenset(), maximize=False, events={}
    )
    names = subject.rule.decays  # type: ignore[attr-defined]  # a signature, which stands where a rule stands
    on = {name: one.hyper[name] or value for name, value in names.items()}
    still = run(subject, one.with_(hyper={**one.hyper, **dict.fromkeys(names, 0.0)})).theta
    whole = "nan_stays" in getattr(subject.rule, "exempt", {})
    theta = one.theta.copy()
    if not whole:
        theta[::3] = 0.0
        still = run(subject, one.with_(theta=theta, hyper={**one.hyper, **dict.fromkeys(names, 0.0)})).theta
    for sign in (1.0, -1.0):
        given = one.with_(theta=sign * theta, hyper={**one.hyper, **on})
        before, after = run(subject, given).theta
        resting = (still[0] == still[1]) & np.isfinite(after)
        away = (after - before) * np.where(before == 0, np.sign(after), np.sign(before)) * resting
        far = (away > 0) & _beyond(subject, given, away)
        wrong = _whole(given, far) if whole else far
        current().compared(int(resting.sum()))
        if wrong.any():
            where = first(wrong)
            tensor, element = place_of(given, where)
            seen, expected = show(float(after[where])), f"{show(float(before[where]))}, or nearer to zero"
            what = "weight decay moves a parameter away from zero"
            raise breach(what, subject, given, seen, expected, 1, tensor=tensor, element=element)


def _beyond(subject: Subject, case: Case, away: Array) -> Mask:
    """Where a movement is no rounding: that of a zero, and one farther than rounding is seen to go."""
    if not (away > 0).any():
        return np.zeros(away.shape, dtype=np.bool_)
    seen = run(subject, case)
    still = np.broadcast_to(seen.theta[0], seen.theta.shape)
    far = farther_than_rounding(subject, case, seen, still)
    return np.asarray((seen.theta[0] == 0) | (far[1] if far is not None else False), dtype=np.bool_)


def _whole(case: Case, away: Array) -> Array:
    """Elements of the tensors all of whose elements move away from zero."""
    wrong = np.zeros(away.shape, dtype=bool)
    for part in case.slices:
        wrong[part] = away[part].size > 0 and bool(away[part].all())
    return wrong
