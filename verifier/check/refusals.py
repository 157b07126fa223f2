"""What a constructor must not take without a word: options that cannot be meant."""

from __future__ import annotations

import math

from verifier.case import Case, Refused, Subject
from verifier.check.alike import breach, during
from verifier.record import current

CHECKED = ("lr", "weight_decay", "eps")
"""Options that are never meant to be negative, nor NaN."""


def refuses_bad_options(subject: Subject, case: Case) -> None:
    """A class that checks its options refuses a negative lr, by its constructor or at the latest by its first step.

    It would ascend without a word. A class that refuses none of these values promises nothing here, and a NaN that is
    taken shows itself in every parameter after one step: both are notes.
    """
    names = [name for name in CHECKED if name in case.hyper]
    bad = [(name, value) for value in (-1.0, math.nan) for name in names]
    taken = [(name, value) for name, value in bad if _runs(subject, case.with_(hyper={**case.hyper, name: value}))]
    if not any(_refused(subject, case.with_(hyper={**case.hyper, name: value})) for name, value in bad):
        current().notes["it refuses no option, whatever its value"] += 1
        return
    current().compared(len(bad))
    if ("lr", -1.0) in taken:
        other = case.with_(hyper={**case.hyper, "lr": -1.0})
        raise breach("lr = -1 is accepted, though other options are checked", subject, other, "a step", "an error")
    for name, value in taken:
        current().notes[f"accepts {name} = {value:g}"] += 1


def notices_misspelt_options(subject: Subject, case: Case) -> None:
    """An option that does not exist is refused: a misspelt weight_decay would otherwise have its default."""
    other = during(case, "misspelt", 0)
    current().compared(1)
    if _runs(subject, other):
        raise breach("a misspelt option is accepted: weight_decya", subject, other, "a step", "TypeError")


def _refused(subject: Subject, case: Case) -> bool:
    """Whether the optimizer refuses the case on purpose; an error that happens to it is no check."""
    try:
        subject.run(case)
    except Refused:
        return True
    except Exception:  # foreign code: what it stumbles over, it did not check
        return False
    return False


def _runs(subject: Subject, case: Case) -> bool:
    """Whether the case runs, and nothing refuses it."""
    try:
        subject.run(case)
    except Exception:  # foreign code: whatever it raises, it took notice
        return False
    return True
