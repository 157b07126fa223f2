"""Options of a group: changed between steps they act at once, for good, on every parameter; `maximize` is one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from verifier.case import Case, Group, Refused, Subject, Trajectory
from verifier.check.alike import alike, breach, during
from verifier.check.bits import same_trajectory
from verifier.check.coarser import farther_than_rounding
from verifier.check.judged import Judgement, decided
from verifier.check.pairs import compared
from verifier.check.seen import RAISED, asked_once, run
from verifier.floats import Array, Mask, same_bits
from verifier.record import Violation, current
from verifier.rule import Rule
from verifier.strategies import COUPLES

WRITTEN = ("lr", "learning_rate", "weight_decay", "wd", "momentum", "beta")
"""What options are called, at least in the beginning, that act on every step."""

STEPS = 5
LONG, LONGEST = 64, 256  # steps of the run that tells what acts seldom from what never does


def acts_at_once(subject: Subject, case: Case) -> None:
    """Each option that acts on every step is changed before the second one, of three tensors in two groups.

    An option that matters from the start, and never once it is changed, is kept from the first step. One that acts at
    once on a first step, and on none that follows a change but on the next, acts late. What acts on the state alone at
    first, as the decay rate of an average that the step reads before it is moved, is neither. Under the combination of
    options that has the fewest zeros.
    """
    signature: Any = subject.rule
    if not asked_once(subject, case, "options that change"):
        return
    hyper = fullest(signature)
    for name in sorted(n for n in signature.group_options if n.startswith(WRITTEN)):
        value = next((v for v in signature.option(name).values if v and v != hyper[name]), None)
        if value is None or signature.option(name).kind != "float":
            continue
        try:
            _asked(subject, ordinary(subject, case.with_(hyper=hyper)), name, value)
        except Refused as no:
            current().notes[str(no)] += 1
        except Violation as found:
            if found.what != RAISED:
                raise
            current().violation = None  # of what raises, other laws tell
            current().notes["raises once an option is changed"] += 1


def fullest(signature: Any) -> Mapping[str, float]:
    """The combination of options that has the fewest zeros, and of those the fewest switches turned."""
    every = (signature.defaults, *signature.configurations)
    return min(every, key=lambda c: (_off(signature, c), sorted(c.items())))


def _off(signature: Any, hyper: Mapping[str, float]) -> tuple[int, int]:
    """How many options of a combination are zero, and how many switches are turned."""
    kinds = {o.name: (o.kind, o.default) for o in signature.options}
    numbers = [v for n, v in hyper.items() if kinds[n][0] == "float"]
    turned = [n for n, v in hyper.items() if kinds[n][0] != "float" and v != kinds[n][1]]
    return sum(v == 0 for v in numbers), len(turned)


def ordinary(subject: Subject, case: Case, steps: int = STEPS) -> Case:
    """Three tensors of ordinary numbers with the options of the case, the last in a group of its own if it may be."""
    flat = getattr(subject.rule, "least_dimensions", 0) < 2
    shapes = ((5,), (3, 2), (4,)) if flat else ((3, 2), (2, 3), (4, 2))
    apart = "groups" not in getattr(subject.rule, "exempt", {})
    count = sum(math.prod(shape) for shape in shapes)
    draw = np.random.default_rng(count)
    signs = draw.choice((-1.0, 1.0), (steps + 1, count))
    return case.with_(
        shapes=shapes,
        theta=(2 * draw.integers(16, 64, count) + 1) / 128 * signs[0],  # short to write, and no option's value
        grads=(2 * draw.integers(16, 64, (steps, count)) + 1) / 128 * signs[1:],
        groups=(Group((0, 1), {}), Group((2,), {})) if apart else (),
        schedule={},
        absent=frozenset(),
        events={},
        layout="contiguous",
        grad_layout="contiguous",
    )


def _asked(subject: Subject, plain: Case, name: str, value: float) -> None:
    """What the change of one option does to steps, tensor by tensor."""
    usual = run(subject, plain)
    changes = {k: plain.with_(schedule={k: {name: value}}) for k in (2, 3)}
    seen = run(subject, changes[2])
    current().compared(seen.theta.size)
    if not (np.isfinite(usual.theta).all() and np.isfinite(seen.theta).all()):
        current().notes["parameters become NaN or infinite with these options"] += 1
        return
    parts = plain.slices
    quiet = [k for k, part in enumerate(parts) if _same(seen.theta[2, part], usual.theta[2, part])]
    if not quiet:
        _wholly(subject, changes[2], plain, name, seen, usual)
        return
    fresh = run(subject, plain.with_(hyper={**plain.hyper, name: value}))
    if name.startswith(("lr", "learning_rate")) and _begins(usual, plain, subject, name):
        current().notes["lr is where the step sizes of single elements begin"] += 1
        return
    later = run(subject, changes[3])
    for tensor in quiet:
        part = parts[tensor]
        if _same(fresh.theta[:, part], usual.theta[:, part]):
            continue
        if _unmoved(seen, usual, part, range(STEPS + 1), value):
            if _seldom(subject, plain, name, value, tensor):
                current().notes[f"{name} acts on some steps alone"] += 1
                continue
            what = f"{name} has no effect once steps are taken: what it is changed to is not used"
            other, still = changes[2], plain
        elif _at_first(fresh, usual, part, value) and all(
            _unmoved(one, usual, part, range(k + 1), value)
            and not _same(one.theta[k + 1, part], usual.theta[k + 1, part])
            for k, one in ((2, seen), (3, later))
        ):
            what = f"a change of {name} between two steps acts one step late"
            other, still = (_short(one) for one in (changes[2], plain))
        else:
            continue
        with compared(other, still, unlike=True):
            observed = f"{float(seen.theta[2, part.start])!r}, as without the change"
            should = "another value"
            raise breach(what, subject, other, observed, should, 2, tensor=tensor, element=0)


def _seldom(subject: Subject, plain: Case, name: str, value: float, tensor: int) -> bool:
    """Whether the change acts in a longer run after all: every so many steps, or where its numbers make it."""
    signature: Any = subject.rule
    whole = [plain.hyper[o.name] for o in signature.options if o.kind == "int" and o.name in plain.hyper]
    steps = int(max([LONG, *(2 * n for n in whole if n <= LONGEST)]))
    still = ordinary(subject, plain, steps)
    seen, usual = run(subject, still.with_(schedule={2: {name: value}})), run(subject, still)
    at = steps if (rest := _finite(seen, usual)).all() else int(np.argmin(rest)) - 1
    return not _unmoved(seen, usual, still.slices[tensor], range(at + 1), value)


def _finite(one: Trajectory, other: Trajectory) -> Mask:
    """After which steps both runs are of finite numbers. shape=(steps + 1,)"""
    both: Mask = np.all(np.isfinite(one.theta) & np.isfinite(other.theta), axis=1)
    return both


def _wholly(subject: Subject, change: Case, plain: Case, name: str, seen: Trajectory, usual: Trajectory) -> None:
    """A run in which an option is changed is that of an optimizer built with what it becomes, over the same state.

    Not asked of learning rates: optimizers measure other rates by the one they were built with. Nor of what goes on
    otherwise when it is built anew with what it was.
    """
    if name.startswith(("lr", "learning_rate")):
        return
    anew = during(change, "rebuild", 2)
    expected = run(subject, anew)
    if _same(expected.theta, seen.theta) or not _same(run(subject, during(plain, "rebuild", 2)).theta, usual.theta):
        return
    with compared(change, anew):
        what = f"{name} changed between steps acts otherwise than given to the constructor"
        same_trajectory(what, subject, change, Trajectory(seen.theta), Trajectory(expected.theta))


def _short(case: Case) -> Case:
    """Its first two steps."""
    return case.with_(grads=case.grads[:2])


def _same(one: Array, other: Array) -> bool:
    return bool(same_bits(one, other).all())


def _at_first(fresh: Trajectory, usual: Trajectory, part: slice, value: float) -> bool:
    """Whether another value is seen in the first step, in the parameter or its state."""
    return not _unmoved(fresh, usual, part, range(2), value)


def _unmoved(seen: Trajectory, usual: Trajectory, part: slice, steps: range, value: float) -> bool:
    """Whether nothing of a tensor is moved in these steps, but for state that only remembers the option's value."""
    at = list(steps)
    rows = [(seen.theta, usual.theta)]
    rows += [(seen.state[n], usual.state[n]) for n in seen.state if n in usual.state]
    for one, other in rows:
        apart = ~same_bits(one[at][:, part], other[at][:, part])
        if apart.any() and not (np.float32(one[at][:, part][apart]) == np.float32(value)).all():
            return False
    return True


def _begins(usual: Trajectory, plain: Case, subject: Subject, name: str) -> bool:
    """Whether lr is where step sizes of single elements begin, which go on from there."""
    rounded = subject.format.round(np.array([plain.hyper[name]]))
    return any((rows[1] == rounded).any() for rows in usual.state.values())


def alike_so_far(what: str, subject: Subject, case: Case, seen: Trajectory, expected: Trajectory) -> None:
    """The same bits, or no farther apart than rounding goes; not asked of rules read out of the code.

    Those are read under the very options that are to make no difference.
    """
    try:
        same_trajectory(what, subject, case, seen, expected, signed_zeros=False)
    except Violation as found:
        far = farther_than_rounding(subject, case, seen, expected.theta)
        decided(what, Judgement.OTHERWISE if far is not None and far.any() else Judgement.UNKNOWN, found)


def ascends(subject: Subject, case: Case) -> None:
    """`maximize` equals negated gradients: ascending a function is descending its negative."""
    up = case.with_(maximize=True, grads=-case.grads)
    down = case.with_(maximize=False)
    with compared(up, down):
        what = "maximize differs from negated gradients"
        rises, falls = run(subject, up), run(subject, down)
        alike(what, subject, up, rises, _turned(falls, rises), plain=down)
    signature: Any = subject.rule
    if isinstance(signature, Rule):
        return
    asleep = getattr(signature, "asleep", ())  # with these off, a step reads no other tensor
    if "groups" not in signature.exempt or (asleep and signature.exempt["groups"] == COUPLES):
        _ascends_in_a_group(subject, down.with_(hyper={**down.hyper, **dict.fromkeys(asleep, 0.0)}))


def _turned(falls: Trajectory, rises: Trajectory) -> Trajectory:
    """The run that descends, with those of its states turned round whose opposites the one that ascends keeps.

    Whoever turns the step, and not the gradient, keeps averages of the gradient as it is.
    """
    opposite = {n: -v for n, v in falls.state.items() if n in rises.state and (rises.state[n] == -v).all()}
    return dataclasses.replace(falls, state={**falls.state, **opposite})


def _ascends_in_a_group(subject: Subject, case: Case) -> None:
    """A group that says `maximize` itself ascends, beside one that does not; of ordinary tensors."""
    foreign, _ = subject.run.args  # type: ignore[attr-defined]  # a partial of `torch_foreign.run`
    if not current().first("a group that ascends", case):
        return
    down = ordinary(subject, case).with_(groups=(Group((0, 1), {}), Group((2,), {})))
    if "maximize" not in foreign.optimizer(down, foreign.parameters(down)).param_groups[0]:
        current().notes["maximize is no option of a group"] += 1
        return
    signs = np.where(np.arange(len(down.theta)) < down.slices[2].start, 1.0, -1.0)
    up = during(down.with_(grads=down.grads * signs), "ascending:1", 0)
    with compared(up, down):
        what = "maximize of a group differs from negated gradients of its parameters"
        alike_so_far(what, subject, up, run(subject, up), run(subject, down))
