"""Copies of parameters that are kept with more digits: what a parameter of 16 bits must have to do with its own."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from verifier.case import Case, Refused, Subject
from verifier.check.alike import breach
from verifier.check.changes import ordinary
from verifier.check.direction import GRAD, beside
from verifier.check.judged import in_format
from verifier.check.seen import RAISED, attempted, run
from verifier.floats import FP32, same_bits
from verifier.record import Violation, current, place_of, show


def follows_master(subject: Subject, case: Case) -> None:
    """Where state moves as the parameter does in float32, the parameter of 16 bits is that state, rounded.

    Either number of the format beside it will do: some round at random, some towards zero. Which state it is shows in
    a run of the same values in float32: no average of rounded parameters has the bits of that run after every step.
    """
    signature: Any = subject.rule
    if subject.format.precision >= FP32.precision:
        current().says_nothing("asked of parameters in 16 bits")
    if subject.format.precision >= FP32.precision or not current().first("a copy of more digits", case):
        return
    on = {o.name: 1.0 for o in signature.options if o.kind == "switch" and "master" in o.name}
    plain = ordinary(subject, case.with_(hyper={**case.hyper, **signature.defaults, **on}))
    if not _is_rounded(subject, plain):
        _named_so(subject, beside(subject, plain, plain.hyper, np.outer((1.0, 0.5, 0.25), GRAD)))
        current().notes["no state moves as the parameter does in float32"] += 1
    elif subject.format.name == "bfloat16":
        rates = {o.name: max(o.values) for o in signature.options if o.name == "lr"}  # steps that tell in large numbers
        _is_rounded(subject, plain.with_(theta=plain.theta * BEYOND_HALF, hyper={**plain.hyper, **rates}))


BEYOND_HALF = 2.0**18
"""A factor of ordinary numbers beyond which float16 has none, and bfloat16 has."""


def _is_rounded(subject: Subject, plain: Case) -> bool:
    """Whether some state moves as the parameter does in float32; the parameter of 16 bits is that state, rounded."""
    try:
        seen, wide = run(subject, plain), in_format(subject, "float32")(plain).theta
    except (Refused, Violation) as no:
        if isinstance(no, Violation) and no.what != RAISED:
            raise
        current().violation = None
        current().notes["raises here, or has no such format"] += 1
        return True
    moved = not same_bits(wide[1:], wide[:-1]).all()
    masters = [name for name, rows in sorted(seen.state.items()) if moved and same_bits(rows[1:], wide[1:]).all()]
    for name in masters:
        master, theta = seen.state[name][1:], seen.theta[1:]
        rounded = subject.format.round(master)
        with np.errstate(invalid="ignore"):
            near = np.abs(theta - master) < subject.format.ulp(master)
        wrong = ~(near | same_bits(theta, rounded)) & np.isfinite(master)
        current().compared(wrong.size)
        if wrong.any():
            step, where = (int(k) for k in np.argwhere(wrong)[0])
            tensor, element = place_of(plain, where)
            what = f"the parameter is not {name}, rounded, though that moves as it does in float32"
            observed, expected = show(float(theta[step, where])), show(float(rounded[step, where]))
            raise breach(what, subject, plain, observed, expected, step + 1, tensor=tensor, element=element)
    return bool(masters)


MASTER = re.compile(r"master|^(p|param|weight)s?_?(fp)?32$|^fp32_(p|param|weight)")
"""What copies of parameters with more digits are called."""


def _named_so(subject: Subject, plain: Case) -> None:
    """State that is called a master copy moves when the parameter does, and has more digits than it.

    The first gradient is zero where it is asked whether it moves: it begins as the parameter then.
    """
    cases = [beside(subject, plain, plain.hyper, np.outer(by, GRAD)) for by in ((0.0, 1.0, 0.5), (1.0, 0.5, 0.25))]
    resting, going = (attempted(subject, case) for case in cases)
    if resting is None or going is None:
        return
    moved = ~same_bits(resting.theta[2:], resting.theta[1:-1])
    for name, rows in sorted(resting.state.items()):
        if not MASTER.search(name) or not moved.any() or name not in going.state:
            continue
        current().compared(rows.size)
        if same_bits(rows[2:], rows[1:-1]).all():
            step, where = (int(k) for k in np.argwhere(moved)[0])
            what = f"{name} is not what it is called: it stays as it was while the parameter moves"
            should = "another value, which the parameter is the rounding of"
            told = show(float(rows[step + 2, where]))
            raise breach(what, subject, cases[0], told, should, step + 2, tensor=0, element=where)
        kept = going.state[name][1:]
        if same_bits(kept, subject.format.round(kept)).all():
            what = f"{name} is not what it is called: it has no more digits than the parameter"
            should = "a value that the parameter is the rounding of"
            first = cases[1].with_(grads=cases[1].grads[:1])
            raise breach(what, subject, first, show(float(kept[0, 0])), should, 1, tensor=0, element=0)
