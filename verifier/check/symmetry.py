"""Symmetries of a rule, asked of bits: scaling by powers of two, permutations, and state that never reads theta."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from verifier.case import Case, Group, Subject, Trajectory
from verifier.check.bits import same_trajectory
from verifier.check.enclosed import trajectory_enclosed
from verifier.check.seen import bits, run
from verifier.floats import FP16, FP32, Array, Format, Mask
from verifier.record import current

ROOM = 2.0**6
"""How far from the ends of a format's normal range a value must stay for products with it to stay inside, too."""


def scaled(
    subject: Subject,
    case: Case,
    *,
    theta: float,
    grad: float,
    hyper: Mapping[str, float],
    state: Mapping[str, float],
) -> None:
    """Scaling inputs by powers of two scales theta and the named states by theirs, to the bit.

    Multiplying by a power of two commutes with rounding inside the normal range. Elements that come near its ends
    are left out from there on, and counted as vacuous; so is all of fp16, whose range is too short for products.
    """
    if subject.format is FP16:
        current().notes["products of ordinary values leave fp16's normal range, where scaling rounds"] += 1
        return
    other = case.with_(
        theta=case.theta * theta,
        grads=case.grads * grad,
        hyper=_scaled(case.hyper, hyper),
        groups=tuple(Group(g.tensors, _scaled(g.hyper, hyper)) for g in case.groups),
        schedule={step: _scaled(changes, hyper) for step, changes in case.schedule.items()},
    )
    source, follow_up = run(subject, case), run(subject, other)
    ordinary = np.ones(case.theta.shape, dtype=bool)
    for step in range(case.steps + 1):
        seen = [source.theta[step], follow_up.theta[step]]
        seen += [values[step] for values in (*source.state.values(), *follow_up.state.values())]
        if step:
            seen += [f(g[step - 1]) for g in (case.grads, other.grads) for f in (np.abs, np.square)]
        for values in seen:
            ordinary &= _ordinary(subject.format, values)
        current().compared(int((~ordinary).sum()), int((~ordinary).sum()))
        what = "scaling by powers of two is not exact"
        bits(what, subject, other, follow_up.theta[step], source.theta[step] * theta, step, ordinary)
        for name, factor in state.items():
            if name in source.state:
                expected = source.state[name][step] * factor
                bits(f"{what} ({name})", subject, other, follow_up.state[name][step], expected, step, ordinary)


def _scaled(values: Mapping[str, float], factors: Mapping[str, float]) -> dict[str, float]:
    return {name: value * factors.get(name, 1.0) for name, value in values.items()}


def _ordinary(fmt: Format, values: Array) -> Mask:
    """Where a value is zero, or far enough inside the normal range."""
    size = np.abs(values)
    inside: Mask = (size == 0) | ((size >= fmt.smallest_normal * ROOM) & (size <= fmt.largest / ROOM))
    return inside


def permuted(subject: Subject, case: Case) -> None:
    """Reversing the elements of each tensor reverses the run: for every bit in fp64 and fp32.

    In narrower formats, and in fused kernels, the vectorised body and the scalar tail may round differently (scalars
    of another width, contraction); there each step of the reversed run is held to the rule's enclosure instead.
    """
    index = np.concatenate([np.arange(part.start, part.stop)[::-1] for part in case.slices])
    other = case.with_(theta=case.theta[index], grads=case.grads[:, index])
    follow_up = run(subject, other)
    if subject.format.precision < FP32.precision or subject.implementation == "fused":
        trajectory_enclosed(subject, other, follow_up)
        return
    source = run(subject, case)
    expected = Trajectory(source.theta[:, index], {name: values[:, index] for name, values in source.state.items()})
    same_trajectory("depends on an element's place in its tensor", subject, other, follow_up, expected)


def same_state(subject: Subject, case: Case, other: Case, names: Iterable[str]) -> None:
    """The state variables called `names` have the same bits in both runs after every step."""
    source, follow_up = run(subject, case), run(subject, other)
    for name in names:
        if name not in source.state or name not in follow_up.state:
            current().notes[f"{name} cannot be read"] += 1
            continue
        for step in range(case.steps + 1):
            what = f"{name} depends on theta"
            bits(what, subject, other, follow_up.state[name][step], source.state[name][step], step)
