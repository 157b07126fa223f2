"""That a decay which all but vanishes changes steps all but not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from verifier.case import Case, Subject
from verifier.check.alike import breach
from verifier.check.direction import LOOKS, STEPS, beside
from verifier.check.pairs import compared
from verifier.check.seen import asked_once, attempted
from verifier.floats import same_bits
from verifier.record import current, show

FAINT = 2.0**-80
"""A share of a decay of which nothing is left beside a gradient of ordinary size, in any format."""

GRADS = np.array([[2.0, -1.0, 0.5, 4.0], [1.0, -0.5, 0.75, 2.0], [0.5, -2.0, 0.25, 1.0], [1.0, -1.0, 0.5, 0.5]])
"""Gradients that never vanish nor turn: the sign of none of them hangs on a decay."""


def fades(subject: Subject, case: Case) -> None:
    """The smaller a weight decay, the less it changes: next to none less than a quarter of what an ordinary one does.

    A value that acts as a switch alone is found, and a factor that should be near one and is near zero. Beside the
    defaults and other combinations of options. Where elements move each other a decay may well be a switch: LARS adapts
    its rates to norms where it decays.
    """
    signature: Any = subject.rule
    if not asked_once(subject, case, "decay that all but vanishes"):
        return
    for name, large in signature.decays.items():
        for base in itertools.islice((signature.defaults, *signature.configurations), LOOKS):
            plain = {**case.hyper, **base, **dict.fromkeys(signature.decays, 0.0)}
            cases = [beside(subject, case, {**plain, name: value}, GRADS) for value in (0.0, FAINT * large, large)]
            ran = [attempted(subject, one) for one in cases]
            if any(one is None or not np.isfinite(one.theta).all() for one in ran):
                continue
            none, faint, much = (one.theta for one in ran if one is not None)
            current().compared(none.size)
            by_much, by_faint = np.abs(much - none).max(axis=1), np.abs(faint - none).max(axis=1)
            step = next((k for k in range(1, STEPS + 1) if by_faint[k] > 0 and 4 * by_faint[k] > by_much[k]), 0)
            if not step or by_faint[step] <= _lost(none[: step + 1]):
                continue
            if same_bits(faint, much).all() or not _mixes(subject, cases[1], faint):
                element = int(np.abs(faint - none)[step].argmax())
                with compared(cases[1], cases[0]):
                    what = f"{name} = {FAINT * large:.3g} changes a step as much as {name} = {large:g} does"
                    seen, wanted = (show(float(rows[step, element])) for rows in (faint, none))
                    raise breach(what, subject, cases[1], seen, wanted, step, tensor=0, element=element)


def _mixes(subject: Subject, case: Case, seen: np.ndarray[Any, Any]) -> bool:
    """Whether the first element, moved elsewhere, moves the others otherwise than they were `seen` to go."""
    theta, grads = case.theta.copy(), case.grads.copy()
    theta[0], grads[:, 0] = 8 * theta[0], 8 * grads[:, 0]
    other = attempted(subject, case.with_(theta=theta, grads=grads))
    return other is None or not same_bits(other.theta[:, 1:], seen[:, 1:]).all()


def _lost(rows: np.ndarray[Any, Any]) -> float:
    """What rounding to twelve bits may change of parameters that went this way."""
    return float(np.abs(rows).max() * 2.0**-12)
