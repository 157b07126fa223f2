"""Copies of parameters that are kept with more digits: what a parameter of 16 bits must have to do with its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from verifier.case import Case, Refused, Subject
from verifier.check.alike import breach
from verifier.check.changes import ordinary
from verifier.check.judged import in_format
from verifier.check.seen import RAISED, run
from verifier.floats import FP32, same_bits
from verifier.record import Violation, current, place_of, show


def follows_master(subject: Subject, case: Case) -> None:
    """Where state moves as the parameter does in float32, the parameter of 16 bits is that state, rounded.

    Either number of the format beside it will do: some round at random, some towards zero. Which state it is shows in
    a run of the same values in float32: no average of rounded parameters has the bits of that run after every step.
    """
    signature: Any = subject.rule
    if subject.format.precision >= FP32.precision or not current().first("a copy of more digits", case):
        return
    plain = ordinary(subject, case.with_(hyper={**signature.defaults, **case.hyper}))
    try:
        seen, wide = run(subject, plain), in_format(subject, "float32")(plain).theta
    except (Refused, Violation) as no:
        if isinstance(no, Violation) and no.what != RAISED:
            raise
        current().violation = None
        current().notes["raises here, or has no such format"] += 1
        return
    moved = not same_bits(wide[1:], wide[:-1]).all()
    masters = [name for name, rows in sorted(seen.state.items()) if moved and same_bits(rows[1:], wide[1:]).all()]
    for name in masters:
        master, theta = seen.state[name][1:], seen.theta[1:]
        rounded = subject.format.round(master)
        with np.errstate(invalid="ignore"):
            beside = np.abs(theta - master) < subject.format.ulp(master)
        wrong = ~(beside | same_bits(theta, rounded)) & np.isfinite(master)
        current().compared(wrong.size)
        if wrong.any():
            step, where = (int(k) for k in np.argwhere(wrong)[0])
            tensor, element = place_of(plain, where)
            what = f"the parameter is not {name}, rounded, though that moves as it does in float32"
            observed, expected = show(float(theta[step, where])), show(float(rounded[step, where]))
            raise breach(what, subject, plain, observed, expected, step + 1, tensor=tensor, element=element)
    if not masters:
        current().notes["no state moves as the parameter does in float32"] += 1
