"""Which way steps go, and that the rates they have names for change them."""

from __future__ import annotations

import contextvars
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from verifier import record
from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import breach, during
from verifier.check.judged import in_format
from verifier.check.pairs import compared
from verifier.check.seen import asked_once, attempted
from verifier.floats import same_bits
from verifier.record import current
from verifier.strategies import RATES, idle

THETA = (1.0, -0.5, 2.0, 0.25)
GRAD = (2.0, 4.0, -0.25, 2.0)
"""Parameters and a gradient at right angles: what keeps the length of the parameters does not change the direction."""

STEPS = 4

TURNING = (64.0, -0.5, 32.0, -0.25)
"""Shares of gradients that turn, of which averages keep the sign of the large ones."""

LOOKS = 6
"""Combinations of the other options beside which steps are looked at."""

LARGE_SIDE = 128
"""Rows and columns of a matrix that no step takes for too small: published ones begin at 128, or below."""

SMALL = 2.0**-6
"""A share of a momentum or a decay that is seen in 24 bits, and below what anybody would take for none."""

GROWING = ("momentum", "weight_decay", "wd")
"""Options of which more does more, from zero on."""


def descends(subject: Subject, case: Case) -> None:
    """Some step goes down a gradient that stays the same, and some down its opposite; with any one switch turned.

    A first step may put parameters where they have to be. Nothing decays. Steps that draw random numbers are not looked
    at, nor such as compute in 16 bits.
    """
    signature: Any = subject.rule
    if not asked_once(subject, case, "which way steps go"):
        return
    still = {**case.hyper, **signature.defaults, **dict.fromkeys(signature.decays, 0.0)}
    switches = [o.name for o in signature.options if o.kind == "switch"]
    turned = [still, *({**still, name: 1.0 - still[name]} for name in switches)]
    for hyper, grad in ((hyper, sign * np.array(GRAD)) for hyper in turned for sign in (1.0, -1.0)):
        plain = beside(subject, case, hyper, np.tile(grad, (STEPS, 1)))
        ran = attempted(subject, plain)
        if ran is None or not np.isfinite(ran.theta).all():
            continue
        seen = ran.theta
        moved = [k for k in range(1, len(seen)) if not same_bits(seen[k], seen[k - 1]).all()]
        current().compared(seen.shape[1])
        if not moved:
            _goes_up_what_varies(subject, plain, grad)
        along = [float((seen[k] - seen[k - 1]) @ grad) for k in moved]
        if along and min(along) > 0:
            what = "every step goes up a gradient that stays the same"
            told = f"a product of {along[0]:.3g} of the first step and the gradient"
            raise breach(what, subject, plain, told, "a negative one", moved[0])


def _goes_up_what_varies(subject: Subject, plain: Case, grad: np.ndarray[Any, Any]) -> None:
    """What no gradient moves that stays the same is moved down some gradient that turns, where it is moved at all."""
    case = plain.with_(grads=np.outer(TURNING, grad))
    ran = attempted(subject, case)
    if ran is None or not np.isfinite(ran.theta).all():
        return
    along = np.sum(np.diff(ran.theta, axis=0) * case.grads, axis=1)
    moved = np.flatnonzero(~same_bits(ran.theta[1:], ran.theta[:-1]).all(axis=1))
    current().compared(ran.theta.shape[1])
    if len(moved) and (along[moved] > 0).all():
        step = int(moved[0]) + 1
        what = "every step that moves a parameter goes up its gradient, and one that stays the same moves none"
        told = f"a product of {along[step - 1]:.3g} of the step and its gradient"
        raise breach(what, subject, case, told, "a negative one", step)


def rates_act(subject: Subject, case: Case) -> None:
    """Each of `RATES` changes some step, beside the defaults or another combination of options.

    What changes the state alone will change steps: signs say little of what they are taken of. Asked of options that
    did nothing when the class was looked at, in other runs.
    """
    signature: Any = subject.rule
    if not asked_once(subject, case, "rates that act"):
        return
    _small_ones_act(subject, case)
    current().says_nothing("every rate was seen to change a step")
    for option in signature.options:
        values = [v for v in option.values if v != 0][-2:]
        if option.name not in idle(signature.notes) & set(RATES) or option.kind != "float" or len(values) < 2:
            continue
        pairs = list(told_apart(subject, case, option.name, values, {}))
        if not pairs:
            current().notes[f"{option.name} cannot be chosen"] += 1
        elif not any(told for *_, told in pairs) and not _acts_on_large(subject, case, option.name, values):
            if leaves_out(subject, option.name, [one for *both, _ in pairs for one in both], whole=True):
                continue
            one, other, _ = pairs[0]
            with compared(one, other, unlike=True):
                what = f"no value of {option.name} changes a step"
                raise breach(what, subject, one, f"the steps with {option.name} = {values[0]:g}", "other steps", STEPS)


def leaves_out(subject: Subject, name: str, cases: Sequence[Case], *, whole: bool = False) -> bool:
    """Whether some place of the code that names an option is reached by none of the cases: what it does is unknown.

    With `whole`, some function that does.
    """
    from verifier.subjects.torch_reached import passed_by

    signature: Any = subject.rule
    argument = signature.option(name).argument
    every = [during(one, f"implementation:{way}", 0) for one in cases for way in signature.implementations]
    if callable(getattr(signature.build, "eval", None)):
        every += [during(one, "evaluated", one.steps) for one in cases]
    if passed_by(signature.build, argument, lambda: [attempted(subject, one) for one in every], whole=whole):
        current().undecided[f"some code that names {argument} was not reached"] += 1
        return True
    return False


def _small_ones_act(subject: Subject, case: Case) -> None:
    """A small momentum or weight decay is not none: it tells where a large one does, in a parameter or its state.

    Some elements have gradients of zero, always or after others, so that signs feel a decay and a momentum too. What is
    kept in fewer digits is not looked at: there what is small is lost.
    """
    signature: Any = subject.rule
    grads = np.array([[1.0, -0.5, 0.0, 2.0], [0.5, -1.0, 0.0, 0.0], [-0.25, 1.0, 0.0, 0.0], [1.0, 0.5, 0.0, -1.0]])
    for option in signature.options:
        if option.name not in GROWING or option.kind != "float":
            continue
        large = max(option.values)
        for base in itertools.islice((signature.defaults, *signature.configurations), LOOKS):
            values = (0.0, SMALL * large, large, SMALL / 2 * large)
            cases = [beside(subject, case, {**case.hyper, **base, option.name: value}, grads) for value in values]
            none, small, much = (attempted(subject, one) for one in cases[:3])
            if none is None or small is None or much is None or small.facts.get("coarse_state"):
                continue
            current().compared(small.theta.size)
            if np.isfinite(much.theta).all() and _same_seen(small, none) and not _same_seen(much, none):
                less = attempted(subject, cases[3])
                if less is None or not _same_seen(less, small):
                    continue  # it acts in state that is not kept without it, which signs and bounds may hide
                fine = [contextvars.copy_context().run(in_double, subject, one) for one in cases[:2]]
                if fine[0] is not None and fine[1] is not None and not _same_seen(fine[1], fine[0]):
                    current().notes["what is small is lost in the digits of this format"] += 1
                    continue
                with compared(cases[1], cases[0], unlike=True):
                    what = f"{option.name} = {values[1]:g} acts as 0, though {large:g} does not"
                    raise breach(what, subject, cases[1], "the steps without it", "other steps", STEPS)


def in_double(subject: Subject, case: Case) -> Trajectory | None:
    """The run of the same class in float64; None where it takes none. In a context with a record of its own."""
    record.start()
    try:
        return in_format(subject, "float64")(case)
    except Exception:  # foreign code in a format it may not be made for
        return None


def told_apart(
    subject: Subject, case: Case, name: str, values: Sequence[float], over: Mapping[str, float]
) -> Iterator[tuple[Case, Case, bool]]:
    """Two cases that one option tells apart, and whether their steps differ; until some do. `over`: of both."""
    signature: Any = subject.rule
    fading = np.array([1.0, -0.25, -(2.0**-6), 0.5]) ** np.arange(STEPS)[:, None]  # some turn, and fade at once
    least, most = getattr(signature, "least_dimensions", 0), getattr(signature, "most_dimensions", 5)
    shapes = [shape for shape in ((2, 2), (4,)) if least <= len(shape) <= most]  # some take other steps of vectors
    for base, shape in itertools.product((signature.defaults, *signature.configurations[:LOOKS]), shapes):
        cases = [
            beside(subject, case, {**case.hyper, **base, **over, name: value}, np.array(GRAD) * fading).with_(
                shapes=(shape,)
            )
            for value in values
        ]
        one, other = (attempted(subject, case) for case in cases)
        if one is None or other is None:
            continue
        current().compared(one.theta.size)
        apart = not same_run(one, other)
        yield cases[1], cases[0], apart
        if apart:
            return


def _acts_on_large(subject: Subject, case: Case, name: str, values: list[float]) -> bool:
    """Whether an option tells in steps of a large matrix: some steps are for those alone, others taken of the rest."""
    signature: Any = subject.rule
    if not signature.least_dimensions <= 2 <= signature.most_dimensions:
        return False
    side = LARGE_SIDE
    draw = np.random.default_rng(side)
    theta, *grads = draw.standard_normal((1 + STEPS, side * side))
    plain = beside(subject, case, {**case.hyper, **signature.defaults}, np.tile(GRAD, (STEPS, 1)))
    plain = plain.with_(shapes=((side, side),), theta=theta, grads=np.array(grads))
    one, other = (attempted(subject, plain.with_(hyper={**plain.hyper, name: value})) for value in values)
    return one is not None and other is not None and not same_run(one, other)


def beside(subject: Subject, case: Case, hyper: Mapping[str, float], grads: np.ndarray[Any, Any]) -> Case:
    """A tensor of `THETA` with these options and gradients."""
    flat = getattr(subject.rule, "most_dimensions", 5) < 2
    return case.with_(
        shapes=((4,),) if flat else ((2, 2),),
        theta=np.array(THETA),
        grads=grads,
        hyper=dict(hyper),
        groups=(),
        schedule={},
        absent=frozenset(),
        events={},
        layout="contiguous",
        grad_layout="contiguous",
        maximize=False,
    )


def _same_seen(one: Trajectory, other: Trajectory) -> bool:
    """Whether two runs have the same parameters, and the same of the state that both have."""
    shared = {n: rows for n, rows in one.state.items() if n in other.state}
    return same_run(Trajectory(one.theta, shared), Trajectory(other.theta, {n: other.state[n] for n in shared}))


def same_run(one: Trajectory, other: Trajectory) -> bool:
    """Whether two runs have the same parameters and the same state after every step."""
    if one.state.keys() != other.state.keys() or not same_bits(one.theta, other.theta).all():
        return False
    return all(same_bits(one.state[name], other.state[name]).all() for name in one.state)
