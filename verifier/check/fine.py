"""Small changes of gradients, which float32 holds and formats of 16 bits do not, are felt."""

from __future__ import annotations

import contextvars
from typing import Any

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import breach
from verifier.check.direction import GRAD, beside, in_double, same_run
from verifier.check.pairs import compared
from verifier.check.seen import attempted
from verifier.floats import BF16, FP16, FP32, Array, same_bits
from verifier.record import current

SHARES = (1.0, 0.5, -2.0, 0.25)
"""What the gradients of a run are of one that formats of 16 bits hold, but not their averages."""

CHANGED = 2
"""The step whose gradient is changed."""

SMALL = 2.0**-12
"""A share of a gradient that neither bfloat16 nor float16 holds beside it."""


def feels_small_changes(subject: Subject, case: Case) -> None:
    """A vector's gradient, changed by less than formats of 16 bits hold, moves what it moves in double precision.

    It is asked where that is more than float32 loses: four units in the last place, and what it does lose. Those whose
    state is of 16 bits, or of fewer, mean to work in them.
    """
    signature: Any = subject.rule
    if subject.format.name != "float32" or signature.least_dimensions > 1:
        current().says_nothing("asked of vectors in float32 alone")
        return
    if not current().first("small changes of gradients", case):
        return
    rate = {"lr": 0.5} if "lr" in case.hyper and 0.5 in signature.option("lr").values else {}
    hyper = {**case.hyper, **signature.defaults, **rate}
    plain = beside(subject, case, hyper, np.outer(SHARES, GRAD)).with_(shapes=((len(GRAD),),))
    grads = plain.grads.copy()
    grads[CHANGED - 1, :2] *= 1 + SMALL
    other = plain.with_(grads=grads)
    seen, changed = attempted(subject, plain), attempted(subject, other)
    if seen is None or changed is None:
        return
    current().compared(seen.theta.size)
    if not same_run(seen, changed) or any(_short(rows) for rows in seen.state.values()):
        return
    fine, beside_it = (contextvars.copy_context().run(in_double, subject, one) for one in (plain, other))
    if fine is None or beside_it is None:
        return
    far = _felt(fine, beside_it, seen)
    if far.any():
        step, element = (int(k) for k in np.argwhere(far)[-1])
        what = "a change of a gradient that float32 holds is lost: it passes through a format of 16 bits"
        with compared(other, plain, unlike=True):
            value = f"{float(changed.theta[step, element])!r}, as without the change"
            raise breach(what, subject, other, value, "another value", step, tensor=0, element=element)


def _felt(fine: Trajectory, changed: Trajectory, seen: Trajectory) -> Array:
    """Where two runs of double precision are farther apart than float32 may lose, of which one was `seen`."""
    with np.errstate(invalid="ignore"):
        lost = np.abs(fine.theta - seen.theta)
        unit = np.spacing(np.abs(fine.theta).astype(np.float32)).astype(np.float64)
        return np.asarray(np.abs(fine.theta - changed.theta) > 4 * np.maximum(lost, unit))


def _short(rows: Array) -> bool:
    """Whether all values of a state, of which some are not zero, are ones that a format of 16 bits has."""
    return bool(rows.any()) and any(same_bits(fmt.round(rows), FP32.round(rows)).all() for fmt in (BF16, FP16))
