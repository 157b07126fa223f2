"""Parameters without a gradient: they stand still, and nothing else takes notice."""

from __future__ import annotations

import numpy as np

from verifier.case import Case, Group, Subject, Trajectory
from verifier.check.alike import alike, alike_where, middle
from verifier.check.bits import same_trajectory
from verifier.check.pairs import compared
from verifier.check.seen import bits, run, state_there


def skips_absent(subject: Subject, case: Case) -> None:
    """A parameter whose .grad is None is neither decayed nor moved, its state stands still, and others go on.

    The first parameter is among those that miss a gradient, where there are others: what follows it must go on, in
    its group or in one of its own. It misses the last step, and in longer runs the first, in which state is made.
    """
    if len(case.shapes) > 1 and case.steps:
        case = case.with_(absent=case.absent | {(case.steps, 0)} | ({(1, 0)} if case.steps > 2 else set()))
    trajectory = run(subject, case)
    for step, tensor in sorted(case.absent):
        mask = np.zeros(case.theta.shape, dtype=bool)
        mask[case.slices[tensor]] = True
        after, before = trajectory.theta[step], trajectory.theta[step - 1]
        bits("moved although its .grad is None", subject, case, after, before, step, mask)
        for name, values in sorted(trajectory.state.items()):
            what = f"{name} moved although its .grad is None"
            made = mask & state_there(case, trajectory, name)[step - 1]  # not what is first made in this step
            bits(what, subject, case, values[step], values[step - 1], step, made)
    missing = {tensor for _, tensor in case.absent}
    beside = np.ones(case.theta.shape, dtype=bool)
    for tensor in missing:
        beside[case.slices[tensor]] = False
    if not missing or not beside.any():
        return
    present = case.with_(absent=frozenset())
    whole = run(subject, present)
    what = "moves otherwise because another parameter has no gradient"
    alike_where(what, subject, case, trajectory, whole, beside, plain=present)
    if not case.groups and 0 in missing and "groups" not in getattr(subject.rule, "exempt", {}):
        apart = case.with_(groups=(Group((0,), {}), Group(tuple(range(1, len(case.shapes))), {})))
        what = "moves otherwise because a group before its own has no gradients"
        alike_where(what, subject, apart, run(subject, apart), whole, beside, plain=present)


def late(subject: Subject, case: Case) -> None:
    """A parameter whose gradients begin late, or pause, moves as if the steps it missed had never been."""
    if case.steps < 3:
        return
    number = len(case.shapes) - 1
    missing = {1, middle(case)} if case.steps > 3 else {1}
    other = case.with_(absent=frozenset((step, number) for step in missing), groups=(), schedule={})
    together = run(subject, other)
    part = case.slices[number]
    taken = [k for k in range(1, case.steps + 1) if k not in missing]
    alone = case.with_(
        shapes=(case.shapes[number],),
        theta=case.theta[part],
        grads=case.grads[[k - 1 for k in taken], part],
        groups=(),
        schedule={},
        absent=frozenset(),
    )
    rows = [0, *taken]
    seen = Trajectory(together.theta[rows][:, part])
    what = "a parameter that missed steps moves otherwise than one that never had them"
    with compared(other, alone, here=range(part.start, part.stop)):
        expected = run(subject, alone)
        if subject.implementation == "forloop":
            same_trajectory(what, subject, alone, seen, expected)
        else:  # what differs between tensors is multiplied, and then added; what does not is a factor of one kernel
            alike(what, subject, alone, seen, expected, plain=other)
    if "order" in getattr(subject.rule, "exempt", {}) or not (index := np.arange(part.start)).size:
        return
    beside = case.with_(
        shapes=case.shapes[:number],
        theta=case.theta[index],
        grads=case.grads[:, index],
        groups=(),
        schedule={},
        absent=frozenset(),
    )
    with compared(other, beside, here=index):
        what = "a parameter moves otherwise beside one that misses steps"
        alike(what, subject, beside, Trajectory(together.theta[:, index]), run(subject, beside), plain=other)
