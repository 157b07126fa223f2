"""An optimizer held to itself: its steps are those of the rule read out of its code, wherever that rule was read."""

from __future__ import annotations

import numpy as np

from verifier.case import Case, Subject
from verifier.check.contracts import steps_follow
from verifier.check.judged import departure
from verifier.evidence import Strength
from verifier.record import current


def steps_as_read(subject: Subject, case: Case) -> None:
    """Every step lies in the enclosure of the rule read out of the code under the options of its group.

    The rule is read from a few elements in fp64. A format, size, layout, group, schedule or step at which the code
    does something else shows here, whatever the formula is.
    """
    seen = current()
    seen.strength = Strength.ENCLOSED
    seen.saw(case, ())
    found = departure(subject, case)
    if found is not None:
        raise found


def long_run_as_read(subject: Subject, case: Case, steps: int) -> None:
    """The last of many steps is still that of the rule read out of the code: counters count, nothing sets in late.

    One case of three elements; its gradients are drawn anew, so that every step has its own.
    """
    if current().first("long run", case):
        steps_as_read(subject, _long(subject, case, steps))


def long_run_follows(subject: Subject, case: Case, steps: int) -> None:
    """The last of many steps still follows the rule the optimizer is held to; one case, as in `long_run_as_read`."""
    if current().first("long run", case):
        steps_follow(subject, _long(subject, case, steps))


def _long(subject: Subject, case: Case, steps: int) -> Case:
    """A case of many steps of three elements."""
    index = np.arange(3) % len(case.theta)
    grads = np.random.default_rng(steps).standard_normal((steps, 3))
    return case.with_(
        shapes=((3, 1),) if getattr(subject.rule, "least_dimensions", 0) > 1 else ((3,),),
        theta=case.theta[index],
        grads=grads,
        groups=(),
        schedule={},
        absent=frozenset(),
        layout="contiguous",
        grad_layout="contiguous",
    )
