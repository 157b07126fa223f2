"""What rounding does to a run, as it is seen: the same code on the same case in the next coarser format."""

from __future__ import annotations

import contextvars
from dataclasses import replace

import numpy as np

from verifier import record
from verifier.case import Case, Subject, Trajectory
from verifier.check.judged import in_format
from verifier.floats import BF16, FP32, Array, Mask, same_bits

COARSER = {"float64": FP32, "float32": BF16}
"""The next coarser format of (nearly) the same range, where there is one."""


def farther_than_rounding(subject: Subject, case: Case, seen: Trajectory, others: Array, of: str = "") -> Mask | None:
    """Where `others` is farther from a run than the run in a coarser format is. shape as theta; None where none is had.

    Of the parameters, or of the state variable `of`.

    Distances are relative to the largest value the element ever had, and the coarser run's is its largest of all
    elements: the roundings of the coarser run are hundreds of times larger and more, whatever the code does with them,
    so what is farther off than they took the run was done by something else. Half a unit in the last place of its own
    format a step may go where steps are too small to be seen in either. Nothing here is chosen; where the coarser run
    raises or is not finite where this one is, nothing is said. Nor is what inputs of which nobody can say that they are
    the others, as they are neighbours of them, make of the run: no arithmetic does better (Higham, 2002, 1.5).
    """
    seen = of_state(seen, of)
    run = coarser_run(subject, case, seen, of)
    if run is None:
        return None
    finite = np.isfinite(seen.theta)
    if not np.isfinite(run.theta[finite]).all():
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        largest = np.maximum(np.abs(seen.theta), np.abs(others)).max(axis=0)
        scale = np.where(np.isfinite(largest) & (largest > 0), largest, 1.0)
        moved = np.where(finite, np.abs(run.theta - seen.theta), 0.0) / scale
        apart = np.abs(others - seen.theta) / scale
        rounded = np.arange(len(apart))[:, None] * subject.format.u  # each step rounds once, at least
        far = apart > np.maximum(moved.max(initial=0.0), rounded)
        if far.any():
            far &= apart > _nudged(subject, case, seen, scale, of)
        if far.any():
            far &= apart > _beside(subject, case, scale, of)
    return np.asarray(far | (np.isnan(others) != np.isnan(seen.theta)), dtype=np.bool_)


def of_state(run: Trajectory, name: str) -> Trajectory:
    """The run with a state variable in the place of the parameters; as it is without a name."""
    return replace(run, theta=run.state[name]) if name else run


def coarser_run(subject: Subject, case: Case, seen: Trajectory, of: str = "") -> Trajectory | None:
    """The run in the next coarser format of what was `seen`; None where none is had."""
    coarse = COARSER.get(subject.format.name)
    if coarse is None:
        return None
    if same_bits(seen.theta[1:], FP32.round(seen.theta[1:])).all():  # whatever its parameters are, it works in fp32
        coarse = BF16
    run = contextvars.copy_context().run(_run, subject, case, coarse.name, of)
    return run if run is not None and run.theta.shape == seen.theta.shape else None


NUDGED = 12
"""Runs that are made with other roundings: each is another draw of which of two neighbours a result is."""


def _nudged(subject: Subject, case: Case, seen: Trajectory, scale: Array, of: str) -> float:
    """How far, relative to `scale`, a run is taken by other roundings of what its steps compute in 16 bits, if any.

    Some steps do part of their work, as an iteration of matrix products, in fewer bits than their parameters have.
    Monte Carlo arithmetic (Parker, 1997): each result of 16 bits is moved to a neighbour, or not, at random.
    """
    from verifier.subjects.torch_nudging import Nudging

    farthest = 0.0
    for number in range(NUDGED):
        nudging = Nudging(number)
        with nudging:
            run = contextvars.copy_context().run(_run, subject, case, subject.format.name, of)
        if not nudging.count or run is None or run.theta.shape != seen.theta.shape:
            return farthest
        apart = np.abs(run.theta - seen.theta) / scale
        farthest = max(farthest, float(apart[np.isfinite(apart)].max(initial=0.0)))
    return farthest


def _beside(subject: Subject, case: Case, scale: Array, of: str) -> float:
    """How far, relative to `scale`, a run is taken by inputs one unit in the last place off, each or not, at random.

    Zeros stay. Eigenvectors of a matrix without full rank, for one, are made of such differences.
    """
    fmt, farthest = subject.format, 0.0
    plain = contextvars.copy_context().run(_run, subject, case, fmt.name, of)
    for number in range(NUDGED):
        draw = np.random.default_rng(number)
        theta, grads = (
            fmt.round(x * (1 + draw.integers(-1, 2, x.shape) * 2 * fmt.u)) for x in (case.theta, case.grads)
        )
        run = contextvars.copy_context().run(_run, subject, case.with_(theta=theta, grads=grads), fmt.name, of)
        if plain is None or run is None or run.theta.shape != plain.theta.shape:
            return farthest
        apart = np.abs(run.theta - plain.theta) / scale
        farthest = max(farthest, float(apart[np.isfinite(apart)].max(initial=0.0)))
    return farthest


def _run(subject: Subject, case: Case, name: str, of: str) -> Trajectory | None:
    """The run in another format, `of_state`; None where it cannot be had. In a context with a record of its own."""
    record.start()
    try:
        found = in_format(subject, name)(case)
    except Exception:  # foreign code in a format it may not be made for
        return None
    if found.facts.get("random") or (of and of not in found.state):
        return None
    return of_state(found, of)
