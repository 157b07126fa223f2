"""Rates that decay parameters and do nothing else."""

from __future__ import annotations

import re
from typing import Any

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import breach
from verifier.check.direction import leaves_out, told_apart
from verifier.check.pairs import compared
from verifier.check.seen import asked_once, attempted
from verifier.floats import same_bits
from verifier.record import current

RATE = re.compile(r"(^|_)lr(_|$)|learning_rate")
"""What learning rates are called."""

OF_DECAY = re.compile(r"decay|(^|_)wd(_|$)|(^|_)l[12](_|$)")
"""What rates are called that are for decay alone."""


def rates_step(subject: Subject, case: Case) -> None:
    """A learning rate that changes steps changes some in which nothing decays.

    Of vectors and of matrices, beside the defaults or another combination of options: a class may have one for each.
    Steps that need a closure are not asked, nor such as no gradient moves here: what they follow is a loss.
    """
    signature: Any = subject.rule
    off = dict.fromkeys(signature.decays, 0.0)
    if not off or signature.needs_closure or not asked_once(subject, case, "rates beside decay"):
        return
    large = {name: max(signature.option(name).values) for name in off}
    for option in signature.options:
        values = [v for v in option.values if v != 0][-2:]
        if option.kind != "float" or not RATE.search(option.name) or OF_DECAY.search(option.name) or len(values) < 2:
            continue
        still = list(told_apart(subject, case, option.name, values, off))
        if not still or still[-1][2]:
            continue
        decayed = list(told_apart(subject, case, option.name, values, large))
        if not decayed or not decayed[-1][2]:
            current().notes[f"{option.name} changes no step of those looked at, decayed or not"] += 1
            continue
        if not any(_moves(attempted(subject, one)) for *both, _ in still for one in both):
            current().notes["no step moves a parameter unless it decays"] += 1
            continue
        if leaves_out(subject, option.name, [one for *both, _ in (*still, *decayed) for one in both], whole=True):
            continue
        one, other = (case.with_(hyper={**case.hyper, **off}) for case in decayed[-1][:2])
        with compared(one, other, unlike=True):
            what = f"{option.name} changes how parameters decay, and no step in which nothing decays"
            told = f"the steps with {option.name} = {values[0]:g}"
            raise breach(what, subject, one, told, "other steps", one.steps)


def _moves(ran: Trajectory | None) -> bool:
    """Whether some element ends elsewhere than it began."""
    return ran is not None and not same_bits(ran.theta[-1], ran.theta[0]).all()
