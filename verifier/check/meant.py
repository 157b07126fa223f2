"""Switches whose names say what is on with them: a correction of the bias of averages, the decay of biases."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import breach
from verifier.check.direction import GRAD, THETA, beside, in_double
from verifier.check.pairs import compared
from verifier.check.seen import asked_once, attempted
from verifier.floats import same_bits
from verifier.record import Pair, current

CORRECTS = re.compile(
    r"^(use_|with_|do_|apply_)?(correct_bias|bias_correct(ion)?|correct_(moment|averag)\w*|debias(ing)?)$"
)
"""What switches are called that have averages corrected for their beginning at zero."""

TAKES_IN = re.compile(
    r"^(use_|with_|do_|apply_)?(decay_(bias(es)?|vectors|1d|one_d|bias_and_norms?|norms?_and_bias)|bias_decay)$"
)
"""What switches are called with which weight decay acts on vectors, too."""

LEAVES_OUT = re.compile(
    r"^(exclude|skip|ignore)_(bias(es)?|vectors|1d|one_d|bias_and_norms?|norms?_and_bias)(_from_decay)?$"
)
"""What switches are called without which it does."""

TIMES = 8
"""Steps along one gradient, which are as long together as one at so many times the learning rate."""


def corrects(subject: Subject, case: Case) -> None:
    """A switch that has averages corrected is no other way round: steps along one gradient are then all alike.

    Corrected averages of what stays the same are what it is, from the first step on, and so many steps go as far as one
    at so many times the learning rate. It is the other way round where they do without the switch, as far as the same
    runs in float32 are apart from those in double precision, and do not with it.
    """
    signature: Any = subject.rule
    names = [o.name for o in signature.options if o.kind == "switch" and CORRECTS.search(o.name)]
    rate = next((n for n in ("lr", "learning_rate") if n in case.hyper), "")
    if not names or not rate or not asked_once(subject, case, "switches that correct"):
        return
    still = {**case.hyper, **signature.defaults, **dict.fromkeys(signature.decays, 0.0)}
    for name in names:
        ways = [_ways(subject, case, {**still, name: value}, rate) for value in (0.0, 1.0)]
        apart = [_apart(subject, *way) for way in ways]
        if any(one is None for one in apart):
            current().notes[f"{name} cannot be turned, or asked in double precision"] += 1
            continue
        current().compared(2 * len(THETA))
        (without, unsure), (on, more) = (one for one in apart if one is not None)
        if without <= unsure and on > 4 * max(unsure, more):
            many, once = ways[1]
            what = (
                f"{name} acts the wrong way round: steps along one gradient are all alike without it, and not with it"
            )
            found = breach(
                what, subject, many, f"steps that end {on:.3g} apart", f"the end of one step of {TIMES} times the rate"
            )
            found.pair = Pair(many, once, reach=4 * max(unsure, more))
            raise found


def _ways(subject: Subject, case: Case, hyper: Mapping[str, float], rate: str) -> tuple[Case, Case]:
    """Many steps along one gradient, and one at as many times the rate."""
    many = beside(subject, case, hyper, np.tile(GRAD, (TIMES, 1)))
    return many, many.with_(hyper={**hyper, rate: TIMES * hyper[rate]}, grads=many.grads[:1])


def _apart(subject: Subject, many: Case, once: Case) -> tuple[float, float] | None:
    """How far apart two runs end in double precision, and how far those of float32 are from them; None if one fails."""
    ends = []
    for case in (many, once):
        fine, plain = contextvars.copy_context().run(in_double, subject, case), attempted(subject, case)
        if fine is None or plain is None or not np.isfinite(fine.theta[-1]).all():
            return None
        if same_bits(fine.theta[-1], fine.theta[0]).any():
            return None
        ends.append((fine.theta[-1], plain.theta[-1]))
    unsure = sum(float(np.abs(fine - plain).max()) for fine, plain in ends)
    return float(np.abs(ends[0][0] - ends[1][0]).max()), unsure


def decays_vectors(subject: Subject, case: Case) -> None:
    """Vectors decay where a switch says that biases do, as matrices then do; and matrices whatever it says.

    Asked where no more is known of parameters than their shape.
    """
    signature: Any = subject.rule
    decays = {**signature.decays, **{o.name: max(o.values) for o in signature.options if o.name == "decay"}}
    switches = [o.name for o in signature.options if o.kind == "switch"]
    said = {name: 1.0 for name in switches if TAKES_IN.search(name)}
    said |= {name: 0.0 for name in switches if LEAVES_OUT.search(name)}
    if not decays or not said or not asked_once(subject, case, "switches of what decays"):
        return
    still = {**case.hyper, **signature.defaults, **dict.fromkeys(decays, 0.0)}
    for name, value in said.items():
        acts = {}
        for shape in ((4,), (2, 2)):
            for way in (value, 1.0 - value):
                plain = beside(subject, case, {**still, name: way}, np.tile(GRAD, (3, 1))).with_(shapes=(shape,))
                acts[shape, way] = _changes(subject, plain.with_(hyper={**plain.hyper, **decays}), plain)
        current().compared(4 * len(THETA))
        of_matrices = acts[(2, 2), value] or acts[(2, 2), 1.0 - value]
        if of_matrices is None or None in acts.values():
            continue
        where = next((key for key in (((4,), value), ((2, 2), value), ((2, 2), 1.0 - value)) if not acts[key]), None)
        if of_matrices and where is not None:
            shape, way = where
            kind = "vectors" if shape == (4,) else "matrices"
            plain = beside(subject, case, {**still, name: way}, np.tile(GRAD, (3, 1))).with_(shapes=(shape,))
            decaying = plain.with_(hyper={**plain.hyper, **decays})
            with compared(decaying, plain, unlike=True):
                what = f"with {name} = {bool(way)}, {kind} do not decay"
                raise breach(what, subject, decaying, "the steps without weight decay", "other steps", decaying.steps)


def _changes(subject: Subject, one: Case, other: Case) -> bool | None:
    """Whether two cases end otherwise; None where one cannot be run."""
    runs: list[Trajectory | None] = [attempted(subject, case) for case in (one, other)]
    if runs[0] is None or runs[1] is None:
        return None
    return not bool(same_bits(runs[0].theta, runs[1].theta).all())
