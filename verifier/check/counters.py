"""Steps that an optimizer counts: a count that went up by one with each of the first steps goes on doing so."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from verifier.case import Case, Refused, Subject
from verifier.check.alike import breach
from verifier.check.direction import GRAD, beside
from verifier.floats import FP32
from verifier.record import current

COUNT = re.compile(
    r"^_?((global|num|n|state|step|iter|update)_)?(steps?|t|k|iters?|iterations?|count(er)?|updates?)_?$"
)
"""What counts of steps are called. What begins anew, as after every so many steps, goes down and does not stand."""

STEPS, FIRST, LAST = 24, 2, 8
"""Steps that are taken; of the first, a count must go up by one in each to be one; in the last it must not stand."""

LONG = 264
"""Steps past 256, where bfloat16 ends to tell numbers that are one apart."""


def counts_on(subject: Subject, case: Case) -> None:
    """What counted the first steps counts the later ones, under the defaults, whole numbers as small as they may be.

    In a parameter of bfloat16 as well, where a count in that format ends at 256. Steps that need a closure are not
    asked: they may end early, and count nothing, where its gradients do not change.
    """
    signature: Any = subject.rule
    if signature.needs_closure or not current().first("steps that are counted", case):
        return
    narrow = subject.format.precision < FP32.precision
    if narrow and subject.format.name != "bfloat16":
        return
    ints = [o for o in signature.options if o.kind == "int" and max(o.values) > 0]
    least = {o.name: min(v for v in o.values if v > 0) for o in ints}
    for hyper in ({},) if narrow or not least else ({}, least):
        steps = LONG if narrow else STEPS
        plain = beside(subject, case, {**case.hyper, **signature.defaults, **hyper}, np.tile(GRAD, (steps, 1)))
        if (stood := _stands(subject, plain)) is not None:
            name, whose, value = stood
            what = f"{name} of {whose} counts steps, and stands still at {value:g}"
            raise breach(what, subject, plain, f"{value:g}", f"{steps}", steps)


def _stands(subject: Subject, case: Case) -> tuple[str, str, float] | None:
    """A count that stands still in the last steps, whose it is, and its value; None where there is none."""
    from verifier.subjects.torch_counts import counted

    foreign, fixed = subject.run.args  # type: ignore[attr-defined]  # a partial of `torch_foreign.run`
    try:
        told = counted(foreign, case.with_(hyper={**case.hyper, **fixed}))
    except Refused as no:
        current().notes[str(no)] += 1
        return None
    except Exception as error:  # foreign code: whether such steps can be taken is another law's
        current().notes[f"raises {type(error).__name__} here"] += 1
        return None
    for name, whose in sorted(told[0]):
        values = np.array([row.get((name, whose), np.nan) for row in told])
        rises = np.diff(values)
        current().compared(len(values))
        if COUNT.match(name) and (rises[:FIRST] == 1).all() and not rises[-LAST:].any():
            return name, whose, float(values[-1])
    return None
