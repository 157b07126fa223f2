"""Parameters that take turns under an option that says so: which steps are theirs is a matter of their place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from verifier.case import Case, Subject
from verifier.check.direction import GRAD, beside
from verifier.check.seen import attempted
from verifier.floats import Array, same_bits
from verifier.record import Violation, current

MOST = 16
"""Turns that are waited for, at most."""

COUNT, MORE = 4, 2
"""Parameters that are looked at, and those that are put behind them."""


def unless_in_turns(asked: Callable[[Subject, Case], None], subject: Subject, case: Case) -> None:
    """What is `asked` of parameters among others, unless they take turns under the options of the case."""
    try:
        asked(subject, case)
    except Violation as found:
        if not any(_in_turns(subject, case, case.hyper_at(1, group)) for group in case.all_groups):
            raise
        current().violation = None
        current().notes[f"{found.what}: parameters take turns under an option that is off by default"] += 1


def _in_turns(subject: Subject, case: Case, hyper: dict[str, float]) -> bool:
    """Whether parameters that are alike rest and move in turns, under a whole number that is not its default.

    All make the same moves, one after the other, along a gradient that stays the same, and each makes some. Parameters
    put behind them change nothing: what counts the parameters in the place of steps feels those. Under the default all
    move as one.
    """
    options = [o for o in getattr(subject.rule, "options", ()) if o.kind == "int" and o.name in hyper]
    away = {o.name: o.default for o in options if hyper[o.name] != o.default and hyper[o.name] <= MOST}
    if not away:
        return False
    steps = 4 * int(max(hyper[name] for name in away))
    few, many = (_alike(subject, case, hyper, count, steps) for count in (COUNT, COUNT + MORE))
    usual = _alike(subject, case, {**hyper, **away}, COUNT, steps)
    if few is None or many is None or usual is None:
        return False
    if not same_bits(many[:COUNT], few).all() or not same_bits(usual, usual[:1]).all():
        return False
    paths = [[row.tobytes() for k, row in enumerate(rows) if not k or (row != rows[k - 1]).any()] for rows in many]
    longest = max(paths, key=len)
    return all(1 < len(path) <= steps and path == longest[: len(path)] for path in paths)


def _alike(subject: Subject, case: Case, hyper: dict[str, float], count: int, steps: int) -> Array | None:
    """The run of so many parameters that are alike. shape=(parameters, steps + 1, elements of each)"""
    one = beside(subject, case, hyper, np.tile(GRAD, (steps, 1)))
    plain = one.with_(shapes=one.shapes * count, theta=np.tile(one.theta, count), grads=np.tile(one.grads, (1, count)))
    ran = attempted(subject, plain)
    return None if ran is None else np.moveaxis(ran.theta.reshape(steps + 1, count, -1), 1, 0)
