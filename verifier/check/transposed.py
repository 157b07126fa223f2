"""Wide, square and tall matrices: code that turns one of them round must turn it back."""

from __future__ import annotations

from typing import Any

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import breach
from verifier.check.coarser import farther_than_rounding
from verifier.check.pairs import compared
from verifier.check.seen import run
from verifier.floats import FP32
from verifier.record import current, first, place_of, show

Index = np.ndarray[Any, np.dtype[np.int64]]

WIDE, SQUARE, TALL = (3, 7), (5, 5), (7, 3)
"""Shapes of matrices small enough to be in one block, whatever blocks an optimizer cuts tensors into."""


def reorders_matrices(subject: Subject, case: Case) -> None:
    """If the order of rows and columns does not matter to one of a wide, a square and a tall matrix, it does to none.

    Steps through products of matrices, norms or factors commute with permutations of rows and of columns, up to
    rounding: as far as the next coarser format takes a run. Where they do for no shape, the order is meant to matter.
    """
    least, most = (getattr(subject.rule, f"{end}_dimensions", default) for end, default in (("least", 0), ("most", 5)))
    if subject.format is not FP32:
        current().says_nothing("asked in float32 alone")
    if subject.format is not FP32 or not least <= 2 <= most or not current().first("rows in another order", case):
        return
    answers: dict[tuple[int, int], tuple[Case, Case, Index, Trajectory, Trajectory] | None] = {}
    for shape in (WIDE, SQUARE, TALL):
        plain, other, index = _reordered(case, shape)
        seen, source = run(subject, other), run(subject, plain)
        expected = source.theta[:, index]
        current().compared(expected.size)
        if np.array_equal(seen.theta, expected):
            answers[shape] = None
            continue
        far = farther_than_rounding(subject, other, seen, expected)
        if far is None:
            return
        answers[shape] = (plain, other, index, seen, source) if far.any() else None
    wrong = [(shape, found) for shape, found in answers.items() if found is not None]
    if not wrong or len(wrong) == len(answers):
        return
    (rows, columns), (plain, other, index, seen, source) = wrong[-1]
    far = farther_than_rounding(subject, other, seen, source.theta[:, index])
    assert far is not None
    step = first(far.any(axis=1))
    where = first(far[step])
    tensor, element = place_of(other, where)
    kind = {WIDE: "wide", SQUARE: "square", TALL: "tall"}[rows, columns]
    what = (
        f"a {kind} matrix is stepped otherwise with its rows and columns in another order, unlike those of other shapes"
    )
    values = show(float(seen.theta[step][where])), show(float(source.theta[step][index[where]]))
    with compared(other, plain, there=index):
        raise breach(what, subject, other, *values, step, tensor=tensor, element=element)


def _reordered(case: Case, shape: tuple[int, int]) -> tuple[Case, Case, Index]:
    """A matrix of ordinary numbers with the options of the case, the same in another order, and where each came from.

    Last: index, such that values of the second, flat, are those of the first at `index`.
    """
    rows, columns = shape
    draw = np.random.default_rng(rows)
    plain = case.with_(
        shapes=(shape,),
        theta=draw.integers(2, 9, rows * columns) / 8 * draw.choice((-1.0, 1.0), rows * columns),  # short to write
        grads=draw.integers(1, 17, (1, rows * columns)) / 8 * draw.choice((-1.0, 1.0), rows * columns),
        groups=(),
        schedule={},
        absent=frozenset(),
        events={},
        layout="contiguous",
        grad_layout="contiguous",
    )
    index = np.arange(rows * columns).reshape(shape)[draw.permutation(rows)][:, draw.permutation(columns)].reshape(-1)
    return plain, plain.with_(theta=plain.theta[index], grads=plain.grads[:, index]), index
