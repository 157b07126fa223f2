"""Averages keep the share of what they were that their rate says, and take in the rest."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import breach
from verifier.check.direction import GRAD, beside, in_double
from verifier.check.seen import attempted
from verifier.floats import FP32, Array
from verifier.record import Pair, current

KEEPS = re.compile(r"^(beta_?\d?|b[12]|momentum|rho|alpha|mu|decay_rate|exp_avg_decay|ema_decay)$")
"""What rates are called of which more keeps more."""

WEIGHS = re.compile(r"^beta")
"""What rates are called whose average takes in the rest: a momentum may take in all of a gradient."""

LEAST = 0.75
"""A default below which a rate may name what is new, if it is not zero."""

STEPS = 4
"""Steps of a run, all but the first of them without a gradient to speak of."""

ROUNDED = 8 * FP32.u
"""How far, relatively, a quotient of two values may be off that are a few products each, rounded to float32."""


def keeps_its_share(subject: Subject, case: Case) -> None:
    """With gradients of zero, an average falls by its rate in a step, and not by what the rate lacks of one.

    And the first gradient, or its square, enters it with the rest, not with the rate. That is read off the state that
    is shaped as its parameter, with two values of the rate.
    """
    signature: Any = subject.rule
    if subject.format.name != "float32":
        current().says_nothing("asked in float32 alone")
        return
    named = [o for o in signature.options if o.kind == "float" and KEEPS.search(o.name)]
    rates = [o for o in named if LEAST < o.default < 1 or o.default == 0]
    if not rates or not current().first("shares that averages keep", case):
        return
    still = {**case.hyper, **signature.defaults, **dict.fromkeys(signature.decays, 0.0)}
    for option in rates:
        values = [v for v in option.values if 0 < v < 1 and v != 0.5][:2]
        runs = [_fading(subject, case, {**still, option.name: value}) for value in values]
        known = [(value, fine) for value, (_, fine) in zip(values, runs, strict=True) if fine is not None]
        if len(known) != len(values) or not known:
            continue
        others = [still[o.name] for o in rates if o is not option] if len(values) < 2 else []
        for name in sorted(set.intersection(*(set(fine.state) for _, fine in known))):
            current().compared(len(GRAD))
            shares = [_share(fine.state[name], STEPS) for _, fine in known]
            if all(near(share, 1 - value) for share, (value, _) in zip(shares, known, strict=True)) and not any(
                near(1 - values[0], other) for other in others
            ):
                _reversed(subject, runs[0][0], option.name, values[0], name)
            if WEIGHS.search(option.name) and all(
                near(share, value) and any(near(weight, value) for weight in _weights(fine.state[name]))
                for share, (value, fine) in zip(shares, known, strict=True)
            ):
                _unweighed(subject, runs[0][0], option.name, values[0], name, known[0][1])


def near(one: float | None, other: float) -> bool:
    """Whether a quotient is a number, but for rounding."""
    return one is not None and abs(one - other) <= ROUNDED * abs(other)


def _fading(subject: Subject, case: Case, hyper: Mapping[str, float]) -> tuple[Case, Trajectory | None]:
    """A gradient, and then none that is not zero; and its run in double precision."""
    grads = np.outer((1.0, *(STEPS - 1) * (0.0,)), GRAD)
    fading = beside(subject, case, hyper, grads)
    fine = contextvars.copy_context().run(in_double, subject, fading)
    return fading, fine if fine is not None and all(np.isfinite(rows).all() for rows in fine.state.values()) else None


def _share(rows: Array, step: int) -> float | None:
    """By what all elements of a state are multiplied in a step; None where that is not one number."""
    before, now = rows[step - 1], rows[step]
    if not before.all() or not now.all():
        return None
    return _one(now / before)


def _weights(rows: Array) -> Iterator[float]:
    """What the first gradient is multiplied with, or its square, if either is one number."""
    grad = np.array(GRAD)
    for taken in (grad, grad * grad):
        one = _one(rows[1] / taken)
        if one is not None:
            yield one


def _one(quotients: Array) -> float | None:
    first = float(quotients[0])
    return first if all(near(float(q), first) for q in quotients) else None


def _reversed(subject: Subject, fading: Case, rate: str, value: float, name: str) -> None:
    """Raises: of the state, what it was should be kept, and what is new is.

    Told of two runs: what a step without a gradient makes of an average is the average of gradients that are so much
    smaller.
    """
    seen = attempted(subject, fading)
    double = attempted(subject, fading.with_(grads=2 * fading.grads))
    if seen is None or double is None or name not in seen.state or name not in double.state:
        return
    rows = seen.state[name]
    power = _one(double.state[name][1] / rows[1])
    step = next((k for k in range(2, STEPS + 1) if near(_share(rows, k), 1 - value)), 0)
    if power is None or not step or not (near(power, 2.0) or near(power, 4.0)):
        return
    smaller = value if near(power, 2.0) else float(np.sqrt(value))
    one, other = (fading.with_(grads=grads) for grads in (fading.grads[:step], fading.grads[: step - 1] * smaller))
    what = f"{name} keeps 1 - {rate} of what it was, and takes in {rate} of what is new"
    observed, should = float(rows[step, 0]), value * float(rows[step - 1, 0])
    found = breach(what, subject, one, repr(observed), repr(should), step, tensor=0, element=0)
    found.pair = Pair(one, other, reach=float(ROUNDED * np.abs(rows[step - 1]).max()), of=name)
    raise found


def _unweighed(subject: Subject, fading: Case, rate: str, value: float, name: str, fine: Trajectory) -> None:
    """Raises: the first gradient enters the state with the rate, not with what that lacks of one."""
    first = fading.with_(grads=fading.grads[:1])
    should = float(fine.state[name][1, 0]) / value * (1 - value)
    low, high = sorted((should * (1 - ROUNDED), should * (1 + ROUNDED)))
    what = f"{name} is not what an average is: what is new is weighed by {rate}, and not by 1 - {rate}"
    seen = attempted(subject, first)
    if seen is not None and name in seen.state:
        observed = repr(float(seen.state[name][1, 0]))
        raise breach(what, subject, first, observed, f"in [{low!r}, {high!r}]", 1, tensor=0, element=0)
