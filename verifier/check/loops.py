"""Every implementation beside the for-loop: the same parameters, and the same state, but for rounding."""

from __future__ import annotations

import math

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import during, explained
from verifier.check.bits import same_trajectory
from verifier.check.changes import fullest, ordinary
from verifier.check.coarser import farther_than_rounding
from verifier.check.judged import Judgement, decided
from verifier.check.pairs import compared
from verifier.check.seen import bits, run, state_there
from verifier.floats import FP32, same_bits
from verifier.record import Violation, current
from verifier.strategies import IN_SINGLE


def implementations_agree(subject: Subject, case: Case) -> None:
    """Every implementation computes what the for-loop does: the same bits, or roundings of the rule read out of it.

    See `judged`. Where no rule could be read, they differ if they are farther apart than rounding takes a coarser run.
    Of the first case so are tensors of one shape, which no implementation may take for one another. So is what they
    keep, whether steps read it or not: an average is there for whoever trains.
    """
    if subject.implementation == "forloop":
        current().notes["the for-loop is what the others are compared with"] += 1
        return
    _agree(subject, case)
    if current().first("tensors of one shape", case):
        found = ordinary(subject, case.with_(hyper={**case.hyper, **fullest(subject.rule)}))
        shape = (5,) if len(found.theta) == 15 else (5, 2)
        _agree(subject, found.with_(shapes=(shape,) * (len(found.theta) // math.prod(shape)), groups=()))


def _agree(subject: Subject, case: Case) -> None:
    """The run of a case is that of the for-loop."""
    what = "differs from the for-loop"
    loop = during(case, "implementation:forloop", 0)
    seen, expected = run(subject, case), run(subject, loop)
    with compared(case, loop):
        try:
            same_trajectory(what, subject, case, Trajectory(seen.theta), expected)
        except Violation as found:
            verdict = explained(subject, case, None, seen, expected)
            decided(what, verdict, found)
            if verdict is Judgement.UNKNOWN:
                return
        for name in sorted(set(seen.state) & set(expected.state)):
            _keep_alike(subject, case, seen, expected, name)


def _keep_alike(subject: Subject, case: Case, seen: Trajectory, expected: Trajectory, name: str) -> None:
    """A state variable is what the for-loop makes it, bit for bit or but for rounding, where both have it.

    State in fewer digits than its parameter, or in codes, is not looked at: there one rounding is a large one. Nor is
    a number beside a parameter that is one: a rate may be computed in Python's digits here and in a tensor's there.
    """
    if any(one.facts.get(kind) for one in (seen, expected) for kind in ("coarse_state", "coded_state")):
        return
    notes = getattr(subject.rule, "notes", ())
    if subject.format.precision > FP32.precision and any(IN_SINGLE in words for _, words in notes):
        return  # a float32 rate is rounded here and there, which no float64 state can be compared with
    there = state_there(case, seen, name) & state_there(case, expected, name)
    for shape, part in zip(case.shapes, case.slices, strict=True):
        there[:, part] &= bool(shape)
    values, others = seen.state[name], np.where(there, expected.state[name], seen.state[name])
    current().compared(int(there.sum()))
    if ((values == others) | same_bits(values, others)).all():
        return
    what = f"differs from the for-loop in what it keeps ({name})"
    far = farther_than_rounding(subject, case, seen, others, name)
    if far is None or not far.any():
        current().undecided[f"{what}; {Judgement.UNKNOWN.value}"] += 1
        return
    for step in range(case.steps + 1):
        bits(what, subject, case, values[step], others[step], step, far[step])
