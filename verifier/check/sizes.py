"""An element moves alike in a tensor of any size, with gaps in memory or without."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import alike, breach, during
from verifier.check.changes import fullest
from verifier.check.coarser import farther_than_rounding
from verifier.check.pairs import compared
from verifier.check.seen import attempted, run
from verifier.floats import FP32, Array, Mask, same_bits
from verifier.record import Violation, current, show

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


SMALL_SIZES, LARGER_SIZES = (2, 3, 5, 9), (65, 515, 4611)
"""Elements of tensors that no kernel treats otherwise, and of some past what vectors, blocks and chunks hold."""


def uniform(subject: Subject, case: Case) -> None:
    """A tensor whose elements have one value and one gradient moves as one of any size, if small ones do.

    Asked where steps read whole tensors: a mean, a ratio of norms or the scale of a block is there the same in all. All
    elements of a large tensor may move otherwise together where their state is in codes of a byte, as from a size on.
    """
    signature: Any = subject.rule
    narrow = subject.format.precision < FP32.precision
    if narrow or "sizes" not in signature.exempt or not current().first("uniform tensors", case):
        return
    for hyper in (signature.defaults, fullest(signature)):
        words = {o.name: o.default for o in signature.options if o.kind in ("int", "word")}
        plain = case.with_(hyper={**case.hyper, **hyper, **words})
        seen = [
            (ran, one) for n in SMALL_SIZES if (ran := attempted(subject, one := _of_one_value(plain, n))) is not None
        ]
        if len(seen) < len(SMALL_SIZES) or any(_far(subject, seen[0], ran.theta).any() for ran, _ in seen[1:]):
            current().notes["small tensors of one value move by their sizes"] += 1
            continue
        for size in LARGER_SIZES:
            if size == max(LARGER_SIZES) and squared(subject, plain, (min(LARGER_SIZES),)):
                current().notes["its state grows by the square of a tensor: none of the largest is asked"] += 1
                continue
            other = _of_one_value(plain, size)
            ran = attempted(subject, other)
            if ran is None:
                continue
            current().compared(ran.theta.size)
            if ran.facts.get("coded_state") and same_bits(ran.theta, ran.theta[:, :1]).all():
                current().notes["state of a large tensor is kept in codes"] += 1
                continue
            far = _far(subject, seen[0], ran.theta)
            if far.any() and _reaches_a_bound(subject, seen[0][1], other):
                current().notes["the norm of a large tensor reaches what that of a small one does not"] += 1
                continue
            if far.any():  # a sum of many may be rounded to what is far away, where a sum of few is not
                own = farther_than_rounding(subject, other, ran, np.repeat(seen[0][0].theta[:, :1], size, axis=1))
                far &= False if own is None else own
            if far.any():
                step, element = (int(k) for k in np.argwhere(far)[0])
                with compared(other, seen[0][1], here=[element], there=[0]):
                    what = f"an element of a tensor of {size} of one value moves otherwise than in small ones"
                    value, should = (show(float(v)) for v in (ran.theta[step, element], seen[0][0].theta[step, 0]))
                    raise breach(what, subject, other, value, should, step, tensor=0, element=element)


def squared(subject: Subject, case: Case, shape: tuple[int, ...]) -> bool:
    """Whether a tensor's state holds an element for each two of the tensor, as a full preconditioner does."""
    ones = np.ones(size := math.prod(shape))
    plain = case.with_(shapes=(shape,), theta=ones, grads=ones[None], groups=(), schedule={}, absent=frozenset())
    seen = attempted(subject, during(plain, "inspect", 0))
    return seen is not None and max(seen.facts["memory"]) >= size * size * 4


def _reaches_a_bound(subject: Subject, small: Case, large: Case) -> bool:
    """Whether the large tensor moves as the small one does once its norms are no larger than that one's were."""
    least = float(np.sqrt(len(small.theta) / len(large.theta)))
    share = 2.0 ** np.floor(np.log2(least))
    cases = [one.with_(theta=one.theta * share, grads=one.grads * share) for one in (small, large)]
    seen, other = (attempted(subject, one) for one in cases)
    return seen is not None and other is not None and not _far(subject, (seen, cases[0]), other.theta).any()


def _of_one_value(case: Case, size: int) -> Case:
    """A tensor of `size` elements that are alike, and so are their gradients, which differ from step to step."""
    return case.with_(
        shapes=((size,),),
        theta=np.full(size, 0.75),
        grads=np.repeat(np.array([[0.5], [-1.25], [0.75]]), size, axis=1),
        groups=(),
        schedule={},
        absent=frozenset(),
        events={},
        layout="contiguous",
        grad_layout="contiguous",
    )


def _far(subject: Subject, one: tuple[Trajectory, Case], others: Array) -> Mask:
    """Where elements of a run are farther from the first element of `one` than rounding goes. shape of `others`

    Asked of the least and the largest of each step alone: where they are not, no other is.
    """
    ran, case = one
    found: Mask = np.zeros(others.shape, dtype=bool)
    differ: Mask = np.asarray((~same_bits(others, ran.theta[:, :1])).any(axis=0))
    ends = np.concatenate([others.argmin(axis=1), others.argmax(axis=1)])  # of a step these go farthest; NaN is one
    for k in np.unique(ends[differ[ends]]):
        far = farther_than_rounding(subject, case, ran, np.repeat(others[:, [k]], ran.theta.shape[1], axis=1))
        found[:, k] = far is not None and far[:, 0]
        if found.any():
            break
    return found


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
