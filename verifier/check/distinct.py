"""Elements that are alike in all that is known of them, found once: a large tensor often repeats a small one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.floats import Indices

MANY = 1 << 12
"""Elements from which looking for equal ones costs less than enclosing each."""


def once_each(steps: Indices, indices: Indices, *known: NDArray[Any]) -> tuple[Indices, Indices, Indices]:
    """Of the elements at (steps, indices), the first of those whose bits agree in every array of `known`, and how many
    there are of each. All of them, once each, where there are few. Each of `known` has shape (steps, elements).
    """
    every = steps, indices, np.ones(steps.size, np.int64)
    if steps.size < MANY:
        return every
    columns = [_bits(values[steps, indices]) for values in known]
    key = np.zeros(steps.size, np.uint64)
    for column in columns:  # equal columns have equal keys; whether equal keys are equal columns is looked at below
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    _, first, place, times = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    if not all((column == column[first][place]).all() for column in columns):
        return every
    order = np.argsort(first)
    chosen = first[order]
    return steps[chosen], indices[chosen], times[order]


def _bits(values: NDArray[Any]) -> NDArray[np.uint64]:
    """The bits of numbers of 64 bits, as integers."""
    return np.ascontiguousarray(values, dtype=None if values.dtype.itemsize == 8 else np.float64).view(np.uint64)
