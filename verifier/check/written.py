"""What a switch has the optimizer keep, and that some step writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import breach
from verifier.check.direction import beside, leaves_out
from verifier.check.seen import asked_once, attempted
from verifier.floats import same_bits
from verifier.record import current

LOOKS = 6
"""Combinations of the other options beside which a switch is tried."""

FEW, MANY = 4, 48
"""Steps that write most state; and such as write what is written every so many steps."""


def writes_what_it_keeps(subject: Subject, case: Case) -> None:
    """State that is kept with a switch on alone, and that begins as zeros, is something else after some step.

    Asked where the switch changes steps: zeros in the place of a maximum do, and a buffer that is there in vain does
    not. Gradients are drawn at random, so that no sum of them, nor what rounding leaves of one, is zero.
    """
    signature: Any = subject.rule
    switches = [o.name for o in signature.options if o.kind == "switch"]
    if not switches or not asked_once(subject, case, "state of switches"):
        return
    bases = (signature.defaults, *signature.configurations[:LOOKS])
    for name in switches:
        turned, one, other = _both(subject, case, bases[0], name, FEW)
        if one is None or other is None or not (kept := _zeros(one, other)):
            continue
        long = [_both(subject, case, base, name, MANY) for base in bases]
        there = [(case, on, off) for case, on, off in long if on is not None and off is not None]
        for state in sorted(kept):
            if not there or not all(state in _zeros(on, off) and _acts(on, off) for _, on, off in there):
                continue
            if leaves_out(subject, name, [case for case, *_ in there]):
                continue
            what = f"{state} is kept for {name}, and never written"
            raise breach(what, subject, turned, "zeros", "other numbers", FEW, tensor=0)


def _both(
    subject: Subject, case: Case, base: Mapping[str, float], name: str, steps: int
) -> tuple[Case, Trajectory | None, Trajectory | None]:
    """The case with a switch on, its run, and the run with it off; None for one that cannot be chosen."""
    draw = np.random.default_rng(steps)
    turned = beside(subject, case, {**case.hyper, **base, name: 1.0}, draw.standard_normal((steps, 4)))
    one, other = (attempted(subject, turned.with_(hyper={**turned.hyper, name: value})) for value in (1.0, 0.0))
    current().compared(4)
    return turned, one, other


def _zeros(on: Trajectory, off: Trajectory) -> set[str]:
    """The state of one run that the other has not, and that is zero throughout."""
    return {name for name, rows in on.state.items() if name not in off.state and not rows.any()}


def _acts(on: Trajectory, off: Trajectory) -> bool:
    """Whether the switch changes some step of two runs, and parameters move in both."""
    moved = all(not same_bits(ran.theta[-1], ran.theta[0]).all() for ran in (on, off))
    return moved and not same_bits(on.theta, off.theta).all()
