"""Parameters arranged otherwise: in another order, in a group of their own, in a group that comes later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verifier.case import Case, Group, Refused, Subject, Trajectory
from verifier.check.bits import same_trajectory
from verifier.check.changes import ordinary
from verifier.check.coarser import farther_than_rounding
from verifier.check.judged import Judgement, decided, judged
from verifier.check.pairs import compared
from verifier.check.seen import run
from verifier.check.turns import unless_in_turns
from verifier.floats import same_bits
from verifier.record import Violation, current
from verifier.rule import Rule


def reordered(subject: Subject, case: Case) -> None:
    """The order of the parameters in the list does not matter: each tensor moves as it did, unless they take turns."""
    unless_in_turns(_reordered, subject, case)


def _reordered(subject: Subject, case: Case) -> None:
    """The case with its parameters in the opposite order."""
    order = list(range(len(case.shapes)))[::-1]
    index = np.concatenate([np.arange(s.start, s.stop) for s in (case.slices[k] for k in order)])
    place = {old: new for new, old in enumerate(order)}
    other = case.with_(
        shapes=tuple(case.shapes[k] for k in order),
        theta=case.theta[index],
        grads=case.grads[:, index],
        groups=tuple(Group(tuple(sorted(place[k] for k in g.tensors)), g.hyper) for g in case.groups),
        absent=frozenset((step, place[k]) for step, k in case.absent),
    )
    plain = run(subject, case)
    expected = Trajectory(plain.theta[:, index], {name: values[:, index] for name, values in plain.state.items()})
    seen = run(subject, other)
    with compared(other, case, there=index):
        rounded_alike("depends on the order of the parameters", subject, other, seen, expected, case)


MANY = 131
"""Parameters of a group that are many, or one or two less: past what lists are cut at, and no multiple of it."""


def crowded(subject: Subject, case: Case) -> None:
    """A parameter that is there many times moves each time as where it is there once, unless they take turns."""
    if current().first("many parameters", case):
        unless_in_turns(_crowded, subject, case)


def _crowded(subject: Subject, case: Case) -> None:
    """The case with its parameters over and over."""
    times = MANY // len(case.shapes)
    index = np.tile(np.arange(len(case.theta)), times)
    other = case.with_(shapes=case.shapes * times, theta=case.theta[index], grads=case.grads[:, index])
    plain, seen = run(subject, case), run(subject, other)
    expected = Trajectory(plain.theta[:, index])
    with compared(other, case, there=index):
        what = f"one of {len(other.shapes)} parameters moves otherwise than alone"
        rounded_alike(what, subject, other, Trajectory(seen.theta), expected, case)


def groups_as_alone(subject: Subject, case: Case) -> None:
    """Each parameter group moves as it would in an optimizer of its own (torch.optim, "Per-parameter options").

    So it does where the constructor is told nothing, or to turn one switch, and a group has numbers of its own: what
    is switched off in the constructor is switched on in a group.
    """
    _as_alone(subject, case)
    signature: Any = subject.rule
    if isinstance(signature, Rule) or not current().first("groups beside what is off", case):
        return
    numbers = [n for n in sorted(signature.group_options) if signature.option(n).kind == "float"]
    whole: Mapping[str, float] = min(
        signature.configurations, key=lambda c: sum(c[n] == 0 for n in numbers), default={}
    )
    own = {n: whole[n] for n in numbers if n in whole}
    for hyper in signature.plain if own else ():
        other = ordinary(subject, case.with_(hyper={**case.hyper, **hyper}))
        if len(other.groups) < 2:
            return
        try:
            _as_alone(subject, other.with_(groups=(other.groups[0], Group(other.groups[1].tensors, own))))
        except Refused as no:
            current().notes[str(no)] += 1


def _as_alone(subject: Subject, case: Case) -> None:
    """Each group of the case moves as in an optimizer of its own."""
    together = run(subject, case)
    for group in case.all_groups:
        tensors = sorted(group.tensors)
        index = case.elements_of(group)
        place = {old: new for new, old in enumerate(tensors)}
        alone = case.with_(
            shapes=tuple(case.shapes[k] for k in tensors),
            theta=case.theta[index],
            grads=case.grads[:, index],
            hyper={**case.hyper, **group.hyper},
            groups=(),
            absent=frozenset((step, place[k]) for step, k in case.absent if k in place),
        )
        seen = Trajectory(together.theta[:, index], {n: values[:, index] for n, values in together.state.items()})
        with compared(case, alone, here=index):
            rounded_alike("a group moves otherwise than alone", subject, alone, seen, run(subject, alone), case)


def rounded_alike(
    what: str, subject: Subject, case: Case, seen: Trajectory, expected: Trajectory, other: Case | None = None
) -> None:
    """The same bits; of a subject that claims no rule, or what rounding explains.

    What several parameters are computed of in one go is rounded by where it lies in a vector; what is set in relation
    to a rate the optimizer was built with, by that rate. `case` is run alone, for how far rounding takes it; `other`
    is the second case, which its own rule is to hold as well; None where no rule holds it.
    """
    try:
        same_trajectory(what, subject, case, seen, expected)
    except Violation as found:
        if isinstance(subject.rule, Rule) or same_bits(seen.theta, expected.theta).all():
            raise
        verdicts = {judged(subject, one) for one in (case, other)} if other is not None else {Judgement.UNKNOWN}
        if Judgement.OTHERWISE in verdicts:
            told = Judgement.OTHERWISE
        elif verdicts == {Judgement.ROUNDING}:
            told = Judgement.ROUNDING
        else:
            far = farther_than_rounding(subject, case, expected, seen.theta)
            told = Judgement.OTHERWISE if far is not None and far.any() else Judgement.UNKNOWN
        decided(what, told, found)
