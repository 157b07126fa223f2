"""What one parameter has to do with the others of its model, and with those of its shape but for dimensions."""

from __future__ import annotations

import numpy as np

from verifier.case import Case, Group, Subject, Trajectory
from verifier.check.alike import alike, breach
from verifier.check.coarser import farther_than_rounding
from verifier.check.judged import Judgement, decided
from verifier.check.pairs import compared
from verifier.check.seen import RAISED, attempted, run
from verifier.floats import FP32, same_bits
from verifier.record import Violation, current
from verifier.strategies import COUPLES


def reads_all_tensors(subject: Subject, case: Case) -> None:
    """Where one parameter moves the others of its group, or of other groups, so does every parameter.

    Four parameters have the same values and the same gradients, whose norms are exact, in two groups of the same
    options. One after the other is made larger, in the gradients of its last step or itself; whether that moves those
    beside it must have one answer.
    """
    rule = subject.rule
    if getattr(rule, "exempt", {}).get("order") != COUPLES or subject.format.precision < FP32.precision:
        current().notes["parameters do not move each other, or this format hides how"] += 1
        return
    if not current().first("parameters that move each other", case):
        return
    shape, count = ((2, 2), 4) if getattr(rule, "least_dimensions", 0) > 1 else ((2,), 2)
    theta, grads = np.array([0.75, -1.0, 0.0, 0.0]), np.array([[-1.0, 0.75, 0.0, 0.0], [3.0, 4.0, 0.0, 0.0]])
    plain = case.with_(
        shapes=(shape,) * 4,
        theta=np.tile(theta[:count], 4),
        grads=np.tile(grads[:, :count], (1, 4)),
        groups=(Group((0, 1), {}), Group((2, 3), {})),
        schedule={},
        absent=frozenset(),
        events={},
    )
    for kind in ("gradients", "parameters"):
        try:
            _one_answer(subject, plain, kind)
        except Violation as found:
            if found.what != RAISED:
                raise
            current().violation = None
            current().notes["steps of large numbers raise"] += 1


def _one_answer(subject: Subject, plain: Case, kind: str) -> None:
    """Whether making a parameter larger, or its gradients, moves another has one answer: in groups, and across them."""
    usual = run(subject, plain)
    owner = np.arange(len(plain.theta)) * 4 // len(plain.theta)
    others: list[Case] = []
    moves: dict[tuple[int, int], bool] = {}
    for number in range(4):
        larger = np.where(owner == number, 64.0, 1.0)
        last = np.arange(plain.steps)[:, None] == plain.steps - 1
        grads = plain.grads * np.where(last, larger, 1.0)
        others.append(plain.with_(grads=grads) if kind == "gradients" else plain.with_(theta=plain.theta * larger))
        apart = ~same_bits(run(subject, others[-1]).theta[-1], usual.theta[-1])
        moves |= {(number, k): bool(apart[owner == k].any()) for k in range(4) if k != number}
    current().compared(4 * len(owner))
    for where, same in (("of its group", True), ("of another group", False)):
        pairs = [(i, j) for i, j in moves if (i // 2 == j // 2) is same]
        if len({moves[pair] for pair in pairs}) > 1:
            (i, j), (m, n) = (next(pair for pair in pairs if moves[pair] is answer) for answer in (False, True))
            what = f"larger {kind} of some parameters move those {where}, and of others not"
            index = np.flatnonzero(owner == j)
            far = farther_than_rounding(subject, plain, usual, run(subject, others[m]).theta)
            told = far is not None and bool(far[:, owner == n].any())
            with compared(others[i], plain, here=index, there=index, unlike=True):
                seen, should = f"parameter {i} does not move {j}", f"moves it, as {m} moves {n}"
                found: Violation = breach(what, subject, others[i], seen, should, plain.steps)
                decided(what, Judgement.OTHERWISE if told else Judgement.UNKNOWN, found)


def adds_nothing_empty(subject: Subject, case: Case) -> None:
    """A parameter without elements, after the others, changes none of their later steps if it changes not the first.

    It adds nothing to a norm or a sum over a model. Where its place or their number count, as for rates that differ
    from layer to layer, the first step tells so. What shows later was counted, or written into a group, once for every
    parameter: a rate that decays in the loop over parameters decays faster, the more of them there are.
    """
    if getattr(subject.rule, "exempt", {}).get("order") != COUPLES:
        current().notes["parameters do not move each other: other laws ask of empty ones"] += 1
        return
    plain = case.with_(groups=(), schedule={}, absent=frozenset(), events={})
    other = plain.with_(shapes=(*plain.shapes, (0,)))
    expected = Trajectory(run(subject, plain).theta)
    try:
        seen = Trajectory(run(subject, other).theta)
    except Violation as found:
        if found.what != RAISED:
            raise
        current().violation = None  # whether it can be stepped at all is another law's
        current().notes["a step of a parameter without elements raises"] += 1
        return
    if not same_bits(seen.theta[1], expected.theta[1]).all():
        current().notes["its steps depend on how many parameters there are, from the first on"] += 1
        return
    with compared(other, plain):
        what = "a parameter without elements, beside the others, changes their later steps"
        alike(what, subject, other, seen, expected, plain=plain)


def goes_on_past_idle_groups(subject: Subject, case: Case) -> None:
    """A group without gradients does not end the step of the groups behind it, where parameters move each other.

    Where a single missing gradient stops the others of its group too, that is how the optimizer is made.
    """
    if getattr(subject.rule, "exempt", {}).get("order") != COUPLES or subject.format.precision < FP32.precision:
        return
    if not current().first("groups without gradients", case):
        return
    shape = (2, 2) if getattr(subject.rule, "least_dimensions", 0) > 1 else (4,)
    whole = case.with_(
        shapes=(shape,) * 4,
        theta=np.tile([0.75, -1.0, 0.5, 2.0], 4),
        grads=np.tile([[-1.0, 0.75, 0.5, 2.0], [3.0, 4.0, -0.25, 1.0], [0.5, -2.0, 1.0, 1.5]], (1, 4)),
        hyper={**case.hyper, **getattr(subject.rule, "defaults", {})},
        groups=(Group((0, 1), {}), Group((2, 3), {})),
        schedule={},
        absent=frozenset(),
        events={},
    )
    steps = range(1, whole.steps + 1)
    some, idle = (whole.with_(absent=frozenset((s, k) for s in steps for k in out)) for out in ((0,), (0, 1)))
    moves = [_moving(attempted(subject, one)) for one in (whole, some, idle)]
    current().compared(len(whole.theta))
    if moves[:2] == [{0, 1, 2, 3}, {1, 2, 3}] and moves[2] is not None and not moves[2]:
        what = "a group in which no parameter has a gradient ends the step: the groups behind it are not moved"
        element = int(whole.slices[2].start)
        value = repr(float(whole.theta[element]))
        raise breach(what, subject, idle, value, "another value", whole.steps, tensor=2, element=0)


def _moving(ran: Trajectory | None) -> set[int] | None:
    """Which of four parameters of one size end elsewhere than they began; None of a run that raises."""
    if ran is None:
        return None
    moved = ~same_bits(ran.theta[-1], ran.theta[0]).reshape(4, -1)
    return {k for k in range(4) if moved[k].any()}


def acts_on_single_numbers(subject: Subject, case: Case) -> None:
    """A parameter of one number moves alike whether it has no dimension, or one; whole numbers and words as usual.

    Some classes have an option that says from how many dimensions on a tensor is treated as one.
    """
    if getattr(subject.rule, "least_dimensions", 0) > 0 or not case.steps:
        current().notes["it takes no single numbers"] += 1
        return
    options = getattr(subject.rule, "options", ())
    usual = {o.name: o.default for o in options if o.kind in ("int", "word") and o.name in case.hyper}
    one = case.with_(
        shapes=((1,),),
        theta=case.theta[:1],
        grads=case.grads[:, :1],
        hyper={**case.hyper, **usual},
        groups=(),
        schedule={},
        absent=frozenset(),
    )
    none = one.with_(shapes=((),))
    try:
        seen, expected = run(subject, none), Trajectory(run(subject, one).theta)
    except Violation as found:
        if found.what != RAISED:
            raise
        current().violation = None  # whether it can be stepped at all is another law's
        current().notes["a step of a single number raises"] += 1
        return
    if run(subject, one).facts.get("coarse_state"):
        current().notes["its state is coarser than its parameters, and so may be what is computed of it"] += 1
        return
    with compared(none, one):
        what = "a parameter of one number moves otherwise without a dimension than with one"
        alike(what, subject, none, seen, expected, plain=one)
