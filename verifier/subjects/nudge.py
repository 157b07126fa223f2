"""Inputs moved by a rounding or two: what a run then does differently is what rounding can do to it."""

from __future__ import annotations

import numpy as np

from verifier.case import Case
from verifier.floats import Array, Format

NUDGES = 8
"""How many nudged runs stand for what rounding can do to a case."""


def nudged(case: Case, fmt: Format, number: int) -> Case:
    """The case with every nonzero parameter and gradient moved by one or two units of its last place in `fmt`."""
    rng = np.random.default_rng((number, len(case.theta)))
    theta, grads = fmt.round(case.theta), fmt.round(case.grads)

    def moved(values: Array) -> Array:
        ulps = rng.integers(1, 3, values.shape) * rng.choice((-1.0, 1.0), values.shape)
        spacing = np.where(np.isfinite(values), fmt.ulp(values), 0.0)
        found: Array = np.where(values == 0, values, fmt.round(values + ulps * spacing))
        return found

    return case.with_(theta=moved(theta), grads=moved(grads))
