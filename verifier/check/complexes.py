"""Complex parameters: pairs of reals, as torch.optim has them, or numbers of one size and direction each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from verifier.case import Case, Refused, Subject
from verifier.check.alike import alike, during
from verifier.check.coarser import farther_than_rounding
from verifier.check.judged import in_format
from verifier.check.pairs import compared
from verifier.check.seen import RAISED, run
from verifier.floats import FP32, FP64, Array
from verifier.record import Violation, current
from verifier.rule import Rule

NUMBERS = "treats complex parameters as numbers: the size of each counts, not that of its parts"


def as_reals(subject: Subject, case: Case) -> None:
    """A complex parameter moves as the pair of its real and imaginary parts, or as one number.

    As one number: the step of what is turned by i is the step turned by i, and real numbers move as reals do.
    """
    count = len(case.theta) // 2
    if not count or subject.format.precision < FP32.precision:
        current().notes["torch has no complex numbers of this format"] += 1
        return
    if subject.implementation == "differentiable":
        current().notes["a differentiable step computes its scalars as tensors"] += 1
        return
    if getattr(subject.rule, "can_maximize", False) and not case.maximize:
        as_reals(subject, case.with_(maximize=True))
    pairs = case.with_(
        shapes=((count, 2),), theta=case.theta[: 2 * count], grads=case.grads[:, : 2 * count], groups=(),
        absent=frozenset(), layout="contiguous", grad_layout="contiguous",
    )  # fmt: skip
    other = during(pairs, "complex", 0)
    what = "a complex parameter moves otherwise than its two parts"
    try:
        with compared(other, pairs):
            alike(what, subject, other, run(subject, other), run(subject, pairs))
    except Refused as no:
        current().notes[str(no)] += 1
    except Violation as found:
        if found.what == RAISED:
            if not str(found.observed).startswith("NotImplementedError"):
                raise
            current().notes[f"takes no complex parameters: {found.observed}"] += 1
        elif isinstance(subject.rule, Rule) or not _as_numbers(subject, other):
            current().violation = found
            raise
        else:
            current().notes[NUMBERS] += 1
        current().violation = None  # there is no such arithmetic, says torch or the class; or it has its own


def _as_numbers(subject: Subject, case: Case) -> bool:
    """Whether complex parameters move as numbers do, in float64: what rounding explains is no difference."""
    wide = replace(subject, format=FP64, run=in_format(subject, "float64"))
    around, line = _each(case, _turned), _each(case, _real)
    reals = case.with_(
        shapes=((len(case.theta) // 2,),), theta=case.theta[::2], grads=case.grads[:, ::2], events={}
    )  # fmt: skip
    try:
        seen, turned, on_line, alone = (run(wide, one) for one in (case, around, line, reals))
    except (Refused, Violation):
        return False
    far = farther_than_rounding(wide, case, seen, -_turned(turned.theta))
    off = farther_than_rounding(wide, reals, alone, on_line.theta[:, ::2])
    if far is None or off is None or not np.isfinite(seen.theta).all():
        return False
    return not (far.any() or off.any() or on_line.theta[:, 1::2].any())


def _each(case: Case, change: Callable[[Array], Array]) -> Case:
    return case.with_(theta=change(case.theta), grads=change(case.grads))


def _turned(parts: Array) -> Array:
    """i times the complex numbers whose real and imaginary parts take turns in the last axis."""
    found = np.empty_like(parts)
    found[..., ::2], found[..., 1::2] = -parts[..., 1::2], parts[..., ::2]
    return found


def _real(parts: Array) -> Array:
    """The real parts alone."""
    found = parts.copy()
    found[..., 1::2] = 0.0
    return found
