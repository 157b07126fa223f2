"""Switches whose names say what they do: what they must leave as it is, and what they must change."""

from __future__ import annotations

import contextvars
import re
from typing import Any

import numpy as np

from verifier.case import Case, Subject
from verifier.check.alike import breach
from verifier.check.changes import alike_so_far, fullest, ordinary
from verifier.check.direction import GRAD, beside, in_double, leaves_out
from verifier.check.pairs import compared
from verifier.check.seen import asked_once, attempted
from verifier.floats import FP32, same_bits
from verifier.record import current
from verifier.strategies import ACTING, OF_DECAY, idle

HOW = re.compile(r"decoupl|^fixed_decay$")
"""What switches are called that say how weight decay acts, and not whether, on what or when."""

LONG = 12
"""Steps that are enough for what is rectified, or corrected, from the sixth or so on."""


def decides_of_decay(subject: Subject, case: Case) -> None:
    """A switch that says how weight decay acts changes nothing where nothing decays; under the class's own options.

    Where something decays, it changes some step.
    """
    signature: Any = subject.rule
    off = dict.fromkeys(signature.decays, 0.0)
    names = [o.name for o in signature.options if o.kind == "switch" and OF_DECAY.search(o.name)]
    if not off or not names or not current().first("switches of weight decay", case):
        return
    still = ordinary(subject, case.with_(hyper={**case.hyper, **signature.defaults, **off}), LONG)
    for name in names:
        turned = still.with_(hyper={**still.hyper, name: 1.0 - still.hyper[name]})
        seen, expected = attempted(subject, turned), attempted(subject, still)
        if seen is None or expected is None:
            current().notes[f"{name} cannot be turned"] += 1
            continue
        what = f"{name} changes steps although nothing decays"
        with compared(turned, still):
            alike_so_far(what, subject, turned, seen, expected)
        if name in idle(signature.notes):
            _acts_on_decay(subject, case, name)
        elif HOW.search(name):
            _decays_either_way(subject, case, name)


def _decays_either_way(subject: Subject, case: Case, name: str) -> None:
    """Weight decay that acts with the switch as it is acts with it turned: the switch says how it does, not whether.

    Of a large one, which turns signs; and in double precision, where a decay by a rate of a millionth is seen.
    """
    signature: Any = subject.rule
    if subject.format.precision < FP32.precision:
        return
    large = {decay: max(signature.option(decay).values) for decay in signature.decays}
    for base in (signature.defaults, fullest(signature)):
        on = beside(subject, case, {**case.hyper, **base, **large}, np.outer(np.resize((1.0, -0.5), LONG), GRAD))
        ways = [on.with_(hyper={**on.hyper, name: value}) for value in (on.hyper[name], 1.0 - on.hyper[name])]
        acts = [_decays(subject, way) for way in ways if attempted(subject, way) is not None]
        if sorted(acts) != [False, True] or leaves_out(subject, name, ways):
            continue
        idly = ways[acts.index(False)]
        still = idly.with_(hyper={**idly.hyper, **dict.fromkeys(signature.decays, 0.0)})
        fine = [contextvars.copy_context().run(in_double, subject, one) for one in (idly, still)]
        if fine[0] is None or fine[1] is None or not same_bits(fine[0].theta, fine[1].theta).all():
            current().notes["what decays is lost in the digits of this format"] += 1
            continue
        with compared(idly, still, unlike=True):
            what = f"with {name} = {bool(idly.hyper[name])} nothing decays, though it does with {name} turned"
            raise breach(what, subject, idly, "the steps without weight decay", "other steps", idly.steps)


def _acts_on_decay(subject: Subject, case: Case, name: str) -> None:
    """The switch changes some step where something decays, beside the defaults or another combination of options.

    Asked of those that did nothing when the class was looked at.
    """
    signature: Any = subject.rule
    if subject.format.precision < FP32.precision:
        return
    bases = [{**base, **signature.decays} for base in (signature.defaults, *signature.configurations[:LOOKS])]
    seen = _looks(subject, case, bases, name, STEPS)
    turned = [one for one, _ in seen]
    if seen and not _told(seen) and _decays(subject, seen[0][0]) and not leaves_out(subject, name, turned):
        one = turned[0]
        if _acts_on_schedules(subject, one, name):
            current().notes[f"{name} acts once the learning rate is another than the first"] += 1
            return
        with compared(one, one.with_(hyper={**one.hyper, name: 0.0}), unlike=True):
            what = f"{name} changes no step, though parameters decay"
            raise breach(what, subject, one, "the steps without it", "other steps", one.steps)


def _acts_on_schedules(subject: Subject, turned: Case, name: str) -> bool:
    """Whether a switch tells once the learning rate is another than the one it was built with."""
    slower = turned.with_(schedule={2: {"lr": turned.hyper["lr"] / 2}} if "lr" in turned.hyper else {})
    one, other = attempted(subject, slower), attempted(subject, slower.with_(hyper={**slower.hyper, name: 0.0}))
    return one is None or other is None or not same_bits(one.theta, other.theta).all()


def _decays(subject: Subject, case: Case) -> bool:
    """Whether weight decay changes the steps of a case."""
    signature: Any = subject.rule
    still = case.with_(hyper={**case.hyper, **dict.fromkeys(signature.decays, 0.0)})
    one, other = attempted(subject, case), attempted(subject, still)
    return one is not None and other is not None and not same_bits(one.theta, other.theta).all()


REMEMBER = ("momentum", "beta", "alpha", "rho", "mu", "gamma", "decay_rate")
"""What options are called, at least in the beginning, without which there is no average, or none of the past."""

LOOKS = 6
"""Combinations of the other options beside which a switch is tried."""

FADING = 2.0**-6
"""How much smaller the gradients of some elements are from step to step, so that averages of their squares fall."""

FADE = ((1, 0, 0, 1), (1, 1, 0, 0), (1, 0, 1, 0), (1, 1, 1, 1))
"""Which elements of a matrix fade: steps that take away means of rows or columns make others of what fades alone."""

STEPS, MANY = 3, 48
"""Steps that tell most switches; and until an average of what gradients differ from their own average by falls."""


def acts(subject: Subject, case: Case) -> None:
    """amsgrad or ams_bound, centered and nesterov change some step, beside the defaults or another combination.

    The gradients of some elements fade, so that a running maximum is not the average it is of.
    """
    signature: Any = subject.rule
    names = [o.name for o in signature.options if o.name in ACTING and o.kind == "switch"]
    if not names:
        current().says_nothing("it has no amsgrad, ams_bound, centered or nesterov")
    if not names or not asked_once(subject, case, "switches that act"):
        return
    rates = {"lr": 0.5} if "lr" in case.hyper and 0.5 in signature.option("lr").values else {}
    bases = [{**signature.defaults, **rates}, *sorted(signature.configurations, key=lambda c: _zeros(signature, c))]
    for name in names:
        remembering = [base for base in bases if any(v and n.startswith(REMEMBER) for n, v in base.items())]
        seen = _looks(subject, case, remembering[:LOOKS], name, STEPS)
        if not seen:
            current().notes[f"{name} cannot be chosen, or nothing moves"] += 1
        elif not _told(seen) and not _told(long := _looks(subject, case, remembering[:LOOKS], name, MANY)):
            if leaves_out(subject, name, [turned for turned, _ in long]):
                continue
            if any(_told(_looks(subject, case, remembering[:LOOKS], name, MANY, fade)) for fade in FADE[1:]):
                continue
            turned, _ = seen[0]
            with compared(turned, turned.with_(hyper={**turned.hyper, name: 0.0}), unlike=True):
                what = f"{name} changes no step, though gradients fade"
                raise breach(what, subject, turned, "the steps without it", "other steps", turned.steps)


def _zeros(signature: Any, hyper: Any) -> int:
    """How many numbers of a combination are zero."""
    return sum(o.kind == "float" and hyper[o.name] == 0 for o in signature.options)


def _told(seen: list[tuple[Case, bool]]) -> bool:
    """Whether the switch changes a step beside any combination."""
    return any(told for _, told in seen)


def _looks(
    subject: Subject, case: Case, bases: list[Any], name: str, steps: int, fade: tuple[int, ...] = FADE[0]
) -> list[tuple[Case, bool]]:
    """What is seen of the switch beside each combination that takes it."""
    return [pair for base in bases if (pair := _both(subject, case, base, name, steps, fade)) is not None]


def _both(
    subject: Subject, case: Case, base: Any, name: str, steps: int, fade: tuple[int, ...]
) -> tuple[Case, bool] | None:
    """The case with the switch on, and whether its steps differ from those without; None where that says nothing.

    Where it cannot be chosen, or nothing moves without it.
    """
    flat = getattr(subject.rule, "most_dimensions", 5) < 2
    fades = np.minimum(np.arange(float(steps)), STEPS)[:, None]
    plain = case.with_(
        shapes=((4,),) if flat else ((2, 2),),
        theta=np.array([1.0, -0.5, 2.0, 0.25]),
        grads=np.array([[1.0, -2.0, 3.0, 0.5]]) * (FADING ** np.array(fade)) ** fades,
        hyper={**case.hyper, **base, name: 0.0},
        groups=(),
        schedule={},
        absent=frozenset(),
        events={},
        layout="contiguous",
        grad_layout="contiguous",
    )
    turned = plain.with_(hyper={**plain.hyper, name: 1.0})
    one, other = attempted(subject, turned), attempted(subject, plain)
    if one is None or other is None or same_bits(other.theta[0], other.theta[-1]).all():  # as where a mask rests them
        return None
    current().compared(one.theta.size)
    return turned, not same_bits(one.theta, other.theta).all()
