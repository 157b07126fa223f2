"""Options that a constructor takes and that nothing reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from verifier.case import Case, Subject
from verifier.check.alike import breach
from verifier.check.direction import GRAD, beside, same_run
from verifier.check.pairs import compared
from verifier.check.seen import attempted
from verifier.lift.keywords import SWITCHES
from verifier.record import current
from verifier.strategies import ROUND_STATE, idle

STEPS = 4


def reads_options(subject: Subject, case: Case) -> None:
    """An option that did nothing when the class was looked at is named by more than the constructor.

    Asked of options of groups, which are there to be read by steps; a seed may do all it does in the constructor, and
    switches of what is printed, or of implementations, are often there for others' sake.
    """
    from verifier.subjects.torch_reading import unread

    signature: Any = subject.rule
    if not current().first("options that are read", case):
        return
    quiet = idle(signature.notes)
    asked = quiet & {*signature.group_options, *ROUND_STATE} - {*SWITCHES}
    options = [o for o in signature.options if o.place is None and o.name in asked]
    names = set(unread(signature.build, tuple(o.argument for o in options)))
    for option in (o for o in options if o.argument in names):
        cases = [
            beside(subject, case, {**case.hyper, **signature.defaults, option.name: value}, np.tile(GRAD, (STEPS, 1)))
            for value in option.values[:2]
        ]
        runs = [attempted(subject, one) for one in cases]
        if len(runs) < 2 or runs[0] is None or runs[1] is None:
            continue
        current().compared(runs[0].theta.size)
        if same_run(runs[0], runs[1]):
            with compared(cases[1], cases[0], unlike=True):
                what = f"{option.argument} is taken and never read: nothing but the constructor names it"
                raise breach(what, subject, cases[1], "the steps with another value", "other steps", STEPS)
