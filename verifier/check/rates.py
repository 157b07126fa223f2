"""The learning rate and what steps do with it: late, never, at zero, as a tensor; and parameters that stay zero."""

from __future__ import annotations

import inspect
import re

import numpy as np

from verifier.case import Case, Refused, Subject, Trajectory
from verifier.check.alike import alike, breach, during
from verifier.check.coarser import farther_than_rounding
from verifier.check.judged import in_format
from verifier.check.pairs import compared
from verifier.check.seen import attempted, keeps_norm, run
from verifier.floats import FP32, Mask, same_bits
from verifier.record import Violation, current
from verifier.rule import Rule

SLOWER = 2.0**-20
"""What a learning rate is multiplied with so that a step under it must be another one."""

RATE_OR_BOUND = re.compile(r"lr(?!.*power$)|^min|^final")
"""What options are called that are rates, or bound them; the power of one that weighs an average is neither."""

REFERENCE = re.compile(
    r"(?i)(initial|init_|base|max|peak|ref|start|first|built|original)[a-z _]{0,16}(lrs?\b|\brates?\b|_rates?\b)"
    r"|\b(lrs?|rates?)_?(init|base|max|peak|ref|start|first|built|original)"
)
"""What code says that measures something by a learning rate of before on purpose."""

NEXT_TO_NONE = 2.0**-70
"""What it is multiplied with so that no step under it is seen beside ordinary numbers, in float64 either."""


def scheduled_lr(subject: Subject, case: Case) -> None:
    """Steps are taken with the learning rate their group has by then: with next to none, they are other steps.

    Without weight decay, where the class takes that. Not asked where rounding could
    hide the difference, nor of optimizers whose lr is where step sizes of single elements begin: those go on.
    """
    name = _rate(subject)
    lr = case.hyper.get(name, 0.0)
    if subject.format.precision < FP32.precision or lr * lr < 2.0**-subject.format.precision:
        current().notes["the learning rate is not an option of a group, or too small to tell in this format"] += 1
        return
    plain = _ordinary(subject, case)
    still = plain.with_(hyper={n: 0.0 if n in ("weight_decay", "wd") else v for n, v in case.hyper.items()})
    try:
        before = run(subject, still)
    except Refused:  # a decay of zero
        still, before = plain, run(subject, plain)
    if _begins(subject, still, name, before):
        return
    other = still.with_(schedule={2: {name: lr * SLOWER}})
    now = run(subject, other).theta
    current().compared(now[2:].size)
    moved = ~same_bits(before.theta[2:], before.theta[1:-1])
    if not moved.any():
        return
    if moved[0].any() and same_bits(now[2], before.theta[2]).all() and not same_bits(now, before.theta).all():
        what = "a learning rate that is changed between two steps acts one step late"
        element = int(np.flatnonzero(moved[0])[0])
        value = f"{float(now[2, element])!r}, as without the change"
        with compared(other, still, unlike=True):
            should = "another value: the step should be a millionth as long"
            raise breach(what, subject, other, value, should, 2, tensor=0, element=element)
    if same_bits(now, before.theta).all():
        slow = run(subject, still.with_(hyper={**still.hyper, name: lr * SLOWER})).theta
        if same_bits(slow, before.theta).all():  # other options hold the step sizes within bounds
            current().notes["the learning rate does not matter here, however early it is given"] += 1
            return
        what = "a learning rate that is changed between steps is not used: the steps keep an earlier one"
        step, element = (int(k) for k in np.argwhere(moved)[0])
        value = f"{float(now[step + 2, element])!r}, as without the change"
        with compared(other, still, unlike=True):
            should = "another value: the step should be a millionth as long"
            raise breach(what, subject, other, value, should, step + 2, tensor=0, element=element)


def _ordinary(subject: Subject, case: Case) -> Case:
    """A tensor of ordinary numbers with the options of the case, drawn so that no step is lost in rounding."""
    index = np.arange(6) % len(case.theta)
    draw = np.random.default_rng(case.steps)
    return case.with_(
        shapes=((3, 2),) if getattr(subject.rule, "least_dimensions", 0) > 1 else ((6,),),
        theta=draw.uniform(0.25, 1, 6) * np.where(case.theta[index] < 0, -1, 1),
        grads=draw.uniform(0.25, 1, (case.steps, 6)) * np.where(case.grads[:, index] < 0, -1, 1),
        groups=(),
        schedule={},
        absent=frozenset(),
        events={},
    )


def _rate(subject: Subject) -> str:
    """What the learning rate of a group is called; "" where it has none."""
    return next((n for n in ("lr", "learning_rate") if n in getattr(subject.rule, "group_options", ())), "")


def _begins(subject: Subject, still: Case, name: str, before: Trajectory) -> bool:
    """Whether lr is where step sizes of single elements begin, which go on from there. `before` is the run of `still`.

    Other options may hold the first step sizes within bounds, so that is asked under the defaults too.
    """
    defaults = getattr(subject.rule, "defaults", {})
    starts = before, run(subject, still.with_(hyper={**still.hyper, **defaults, name: still.hyper[name]}))
    rounded = subject.format.round(np.array([still.hyper[name]]))
    if any((rows[1] == rounded).all() for start in starts for rows in start.state.values()):
        current().notes["lr is where the step sizes of single elements begin"] += 1
        return True
    return False


def rests_without_rate(subject: Subject, case: Case) -> None:
    """With a learning rate of zero and no weight decay, parameters stay where they are.

    Not asked where lr is where step sizes of single elements begin, where another option is a rate or bounds it, nor
    of what moves without gradients. What raises, or makes NaN, is told elsewhere.
    """
    name, signature = _rate(subject), subject.rule
    if not name or not current().first("a rate of zero", case):
        return
    defaults = getattr(signature, "defaults", {})
    if any(n != name and RATE_OR_BOUND.search(n) for n in defaults):
        current().notes["other options are rates, or bound the learning rate"] += 1
        return
    off = dict.fromkeys(getattr(signature, "decays", {}), 0.0)
    still = _ordinary(subject, case).with_(hyper={**case.hyper, **defaults, **off})
    if _rests(subject, name, still, still.with_(hyper={**still.hyper, name: 0.0})):
        _rests(subject, name, still, still.with_(schedule={1: {name: 0.0}}), matters=True)  # as a warm-up begins
        _creeps(subject, name, still.with_(hyper={**still.hyper, name: still.hyper[name] * NEXT_TO_NONE}))
        _decays_along(subject, name, still)


def _decays_along(subject: Subject, name: str, still: Case) -> None:
    """What decays by the learning rate rests with one of zero, from the step on before which it is set to that.

    That decay goes by the rate is seen of one built without a rate, which does not decay. Not asked of what moves
    on without a rate and without decay, nor where the code speaks of a rate that it was built with.
    """
    decays = {n: v for n, v in getattr(subject.rule, "decays", {}).items() if n in still.hyper}
    none = {2: {name: 0.0}}
    if not decays or subject.format.precision < FP32.precision:
        return
    decaying = still.with_(hyper={**still.hyper, **decays}, schedule=none)
    built = decaying.with_(hyper={**decaying.hyper, name: 0.0}, schedule={})
    if not all(_still(subject, one) for one in (built, still.with_(schedule=none))):
        return
    seen = attempted(subject, decaying)
    if seen is None or not np.isfinite(seen.theta).all():
        return
    moved = ~same_bits(seen.theta[2:], seen.theta[1:-1])
    current().compared(moved.size)
    if not moved.any():
        return
    if REFERENCE.search(_code(subject)):
        current().notes["parameters decay by a rate that the optimizer was built with"] += 1
        return
    step, element = (int(k) for k in np.argwhere(moved)[0])
    value, before = (repr(float(seen.theta[k, element])) for k in (step + 2, step + 1))
    what = f"{next(iter(decays))} goes by an earlier {name}: parameters decay although that is 0 by then"
    raise breach(what, subject, decaying, value, before, step + 2, tensor=0, element=element)


def _still(subject: Subject, case: Case) -> bool:
    """Whether no parameter moves once the learning rate is zero."""
    seen = attempted(subject, case)
    begun = 1 if case.schedule else 0
    return seen is not None and bool(same_bits(seen.theta[begun:], seen.theta[begun]).all())


def _code(subject: Subject) -> str:
    """The code of the class, with its comments; empty where it is not known."""
    try:
        return inspect.getsource(getattr(subject.rule, "build", None) or _code)
    except (OSError, TypeError):
        return ""


def _creeps(subject: Subject, name: str, slow: Case) -> None:
    """With next to no rate, parameters that rest without one are moved by no more than rounding.

    Some add eps to the rate, unless that is zero: then they rest with next to no eps.
    """
    seen, far = _moved_by(subject, slow)
    if seen is None or far is None or not far.any():
        return
    little = {n: v * NEXT_TO_NONE for n, v in slow.hyper.items() if n.startswith("eps")}
    _, still = _moved_by(subject, slow.with_(hyper={**slow.hyper, **little})) if little else (None, None)
    if still is not None and not still.any():
        current().notes["eps is added to the learning rate"] += 1
        return
    step, element = (int(k) for k in np.argwhere(far)[0])
    value, before = (repr(float(seen.theta[k, element])) for k in (step, 0))
    what = f"parameters move although {name} is next to nothing, and nothing decays"
    raise breach(what, subject, slow, value, before, step, tensor=0, element=element)


def _moved_by(subject: Subject, slow: Case) -> tuple[Trajectory | None, Mask | None]:
    """A run, and where it is farther from where it began than rounding goes; None where that cannot be told."""
    seen = attempted(subject, slow)
    if seen is None or not np.isfinite(seen.theta).all():
        return seen, None
    return seen, farther_than_rounding(subject, slow, seen, np.repeat(seen.theta[:1], len(seen.theta), axis=0))


def _rests(subject: Subject, name: str, still: Case, resting: Case, *, matters: bool = False) -> bool:
    """Whether one run without a rate rests, `still` being the same with one; raises where nothing excuses moves.

    `matters`: it is known that the rate is no matter of other options.
    """
    try:
        seen = run(subject, resting).theta
        moved = ~same_bits(seen[1:], seen[:-1])
        current().compared(moved.size)
        if not moved.any() or not np.isfinite(seen).all():
            return not moved.any()
        alone = run(subject, resting.with_(grads=np.zeros_like(resting.grads))).theta
        usual = run(subject, still)
        if not same_bits(alone[1:], alone[:-1]).all() or _begins(subject, still, name, usual):
            return False
        if not matters and same_bits(usual.theta, seen).all() and _matters(subject, still, name):
            current().notes["other options decide whether the learning rate matters, and by default it does not"] += 1
            return False
    except (Refused, Violation) as no:
        current().violation = None
        current().notes[str(no)] += 1
        return False
    step, element = (int(k) for k in np.argwhere(moved)[0])
    value, before = (repr(float(seen[k, element])) for k in (step + 1, step))
    what = f"a step moves parameters although {name} is 0 and nothing decays"
    raise breach(what, subject, resting, value, before, step + 1, tensor=0, element=element)


def _matters(subject: Subject, case: Case, name: str) -> bool:
    """Whether the learning rate changes a run under some combination of the other options, in which nothing decays."""
    off = dict.fromkeys(getattr(subject.rule, "decays", {}), 0.0)
    for hyper in getattr(subject.rule, "configurations", ()):
        rates = (case.hyper[name], 0.0)
        one, other = (run(subject, case.with_(hyper={**case.hyper, **hyper, **off, name: rate})) for rate in rates)
        if not same_bits(one.theta, other.theta).all():
            return True
    return False


def leaves_zero(subject: Subject, case: Case) -> None:
    """A parameter that is zero everywhere is moved by its gradients, where zeros among other numbers are.

    Where those stay as well, steps are multiples of the parameter, and that is how the optimizer is made. Steps that
    are less than the smallest number of the format, as float64 has them, are lost in it and no mistake.
    """
    if not current().first("a parameter of zeros", case):
        return
    ordinary = _ordinary(subject, case)
    theta = ordinary.theta.copy()
    theta[::2] = 0.0
    some, zeros = ordinary.with_(theta=theta), ordinary.with_(theta=np.zeros_like(theta))
    seen, moved = run(subject, zeros).theta, run(subject, some).theta
    current().compared(seen[-1].size)
    if not seen.any() and np.isfinite(moved[-1]).all() and moved[-1, ::2].all():
        longest = np.abs(np.diff(in_format(subject, "float64")(zeros).theta, axis=0)).max()
        if 0 < longest < subject.format.tiny:
            current().notes["steps of zeros are less than the format's smallest number"] += 1
            return
        if keeps_norm(in_format(subject, "float64")(ordinary)):
            current().notes["parameters keep their norms, and zeros have none"] += 1
            return
        what = "a parameter that is zero everywhere is never moved, though a zero among other numbers is"
        raise breach(what, subject, zeros, "0.0", "another value", case.steps, tensor=0, element=0)


def tensor_lr(subject: Subject, case: Case) -> None:
    """lr given as a 0-dim tensor acts as the same number given as a float, and so does what it is filled with later."""
    if subject.implementation == "differentiable":
        current().notes["a differentiable step computes its scalars as tensors"] += 1
        return
    plain = case.with_(schedule={})
    other = during(plain, "tensor_lr", 0)
    try:
        seen, expected = run(subject, other), run(subject, plain)
        with compared(other, plain):
            alike("a tensor lr acts otherwise than a float", subject, other, seen, expected, plain=plain, scalars=True)
        if not isinstance(subject.rule, Rule) and case.steps > 1 and not case.groups:
            _filled(subject, other, plain, seen, expected)
    except Refused as no:
        current().notes[str(no)] += 1


def _filled(subject: Subject, other: Case, plain: Case, seen: Trajectory, expected: Trajectory) -> None:
    """A tensor lr that is filled before the second step, as torch.optim.lr_scheduler does, is read again.

    `seen` is the run of `other`, with a tensor, and `expected` that of `plain`, with a number, without any change.
    """
    slower = {2: {"lr": plain.hyper["lr"] * SLOWER}}
    change = other.with_(schedule=slower)
    now = run(subject, change).theta
    current().compared(now.size)
    if not same_bits(now, seen.theta).all():
        return
    moved = ~same_bits(run(subject, plain.with_(schedule=slower)).theta, expected.theta)
    if moved.any():
        what = "a tensor lr that is filled between steps is not read again: the steps keep what it was"
        step, element = (int(k) for k in np.argwhere(moved)[0])
        tensor = next(k for k, part in enumerate(plain.slices) if part.start <= element < part.stop)
        value = f"{float(now[step, element])!r}, as without the change"
        with compared(change, other, unlike=True):
            inside = element - plain.slices[tensor].start
            raise breach(what, subject, change, value, "another value", step, tensor=tensor, element=inside)
