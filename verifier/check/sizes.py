"""An element moves alike in a tensor of any size, with gaps in memory or without."""

from __future__ import annotations

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import alike
from verifier.check.pairs import compared
from verifier.check.seen import run
from verifier.floats import FP32
from verifier.record import Violation, current

LARGE = 1 << 14
"""Elements from which a tensor is large: one run of it costs what many of the others do."""

SOME = LARGE - 3
"""Elements of a tensor that is not large yet, and larger than most chunks."""


def sized(subject: Subject, case: Case, size: int) -> None:
    """An element moves alike in a tensor of any size: here one of `size` elements that repeats the case's.

    Of large tensors one case tells as much as many; in narrow formats their bodies and tails round otherwise anyway.
    """
    narrow = subject.format.precision < FP32.precision
    if size >= LARGE and (narrow or not current().first("large tensors", case)):
        current().notes["large tensors are compared once, and not in formats narrower than float32"] += 1
        return
    count = len(case.theta)
    index = np.arange(size) % count
    small = case.with_(shapes=((count,),), groups=(), absent=frozenset(), schedule={}, layout="contiguous")
    large = small.with_(shapes=((size,),), theta=case.theta[index], grads=case.grads[:, index])
    usual = {**case.hyper, **getattr(subject.rule, "defaults", {})}
    if size >= LARGE and usual != case.hyper:  # switched off, an option may leave another path
        sized(subject, case.with_(hyper=usual), SOME)
    plain = run(subject, small)
    expected = Trajectory(plain.theta[:, index], {name: rows[:, index] for name, rows in plain.state.items()})
    if size >= LARGE and _strided_alike(subject, small, large, expected):
        return
    with compared(large, small, there=index):
        what = f"an element of a tensor of {size} moves otherwise"
        alike(what, subject, large, run(subject, large), expected, plain=small)


def _strided_alike(subject: Subject, small: Case, large: Case, expected: Trajectory) -> bool:
    """Whether the large tensor moves as it should even where it and its gradients have gaps in memory.

    Where that is so, what has no gaps is not asked: gaps are harder. Raises what is wrong of large tensors with gaps
    alone; of others, or where small ones with gaps are wrong too, says False.
    """
    sliced = {"layout": "sliced", "grad_layout": "sliced"}
    what = f"an element of a tensor of {len(large.theta)} with gaps in memory moves otherwise"
    strided = large.with_(**sliced)
    index = np.arange(len(large.theta)) % len(small.theta)
    try:
        with compared(strided, small, there=index):
            alike(what, subject, strided, run(subject, strided), expected, plain=small)
        return True
    except Violation as found:
        current().violation = None
        for case, wanted in ((large, expected), (small.with_(**sliced), run(subject, small))):
            try:
                alike(what, subject, case, run(subject, case), wanted, plain=small)
            except Violation:
                current().violation = None
                return False
        current().violation = found
        raise
