"""Steps that divide by infinity, and so rest, where all they were given is finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from verifier.case import Case, Subject
from verifier.check.alike import breach
from verifier.check.direction import GRAD, beside
from verifier.check.seen import attempted
from verifier.floats import FP32
from verifier.record import current

STEPS = 3
"""Steps that are looked at: where a bias is corrected by another step's number, its correction is zero at once."""


def divides_by_numbers(subject: Subject, case: Case) -> None:
    """No step that leaves a parameter where it is has divided by infinity: its gradients are ordinary, and none zero.

    Such a quotient is zero: what was infinite is the reciprocal of a zero, a bias correction mostly, and nobody sees
    that a step is lost. What is infinite and chosen by none, as behind `where`, is left alone if the parameter moves.
    Asked under the class's own options, and with each switch turned, in 32 bits or more.
    """
    from verifier.subjects.torch_divisors import Dividing

    signature: Any = subject.rule
    if subject.format.precision < FP32.precision:
        current().says_nothing("asked in 32 bits or more")
        return
    if not current().first("divisors", case):
        return
    for hyper in (signature.defaults, *signature.plain):
        whole = beside(subject, case, {**case.hyper, **hyper}, np.outer([1.0, 0.5, 2.0], GRAD))
        seen = attempted(subject, whole)
        if seen is None or not np.isfinite(seen.theta).all():  # of which other laws tell
            continue
        current().compared(seen.theta.size)
        rests = (seen.theta[1:] == seen.theta[:-1]).all(axis=1)
        if rests.all():
            continue
        for step in np.flatnonzero(rests[:STEPS]) + 1:
            until = whole.with_(grads=whole.grads[:step])
            with Dividing() as watching:
                attempted(subject, until)
            if watching.infinite:
                what = "a step divides by infinity, and moves nothing"
                raise breach(what, subject, until, "no move", "a move", int(step), tensor=0, element=0)
