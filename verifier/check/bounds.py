"""Bounds on gradients: what is below them is left as it is, what exceeds them is not, however it is cut."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from verifier.case import Case, Subject
from verifier.check.alike import breach
from verifier.check.changes import ordinary
from verifier.check.coarser import farther_than_rounding
from verifier.check.direction import leaves_out, same_run
from verifier.check.pairs import compared
from verifier.check.seen import asked_once, attempted
from verifier.check.vanishing import but_for_rounding, combinations
from verifier.floats import same_bits
from verifier.record import current
from verifier.strategies import COUPLES, idle

BOUNDS = re.compile(
    r"^max_(grad_)?norm$|^(max_)?grad_clip|^clip_(norm|value|threshold|grad)|^(gradient_)?clip(ping)?$|^trust_clip$"
)
"""What options are called that bound gradients or steps, and that nothing which stays below them feels."""

LOW = 2.0**-6
"""A bound that they all exceed."""

EXCEEDED = 1.0
"""A bound that a dozen of them exceed together."""

HIGH = (2.0**6, 2.0**12)
"""Bounds that gradients of a few numbers below one never reach, and of which eps still tells the one from the other."""


def bounds(subject: Subject, case: Case) -> None:
    """A bound on gradients that nothing reaches changes nothing: it may as well be higher.

    With the largest eps that is tried: steps that are otherwise the same for gradients of any size then are not.
    """
    signature: Any = subject.rule
    if not asked_once(subject, case, "bounds out of reach"):
        return
    felt = {o.name: max(o.values) for o in signature.options if o.name.startswith("eps") and o.kind == "float"}
    bounded = [o for o in signature.options if o.kind == "float" and BOUNDS.search(o.name)]
    if not bounded:
        current().says_nothing("no option is a bound on gradients")
    for option in bounded:
        for hyper in (signature.defaults, *signature.plain):
            plain = ordinary(subject, case.with_(hyper={**case.hyper, **hyper, **felt}))
            one, other = (plain.with_(hyper={**plain.hyper, option.name: high}) for high in HIGH)
            seen, expected = attempted(subject, one), attempted(subject, other)
            if seen is None or expected is None or not np.isfinite(expected.theta).all():
                continue
            what = f"{option.name} acts on gradients far below it"
            but_for_rounding(what, subject, (one, seen), (other, expected))
        if option.name in idle(signature.notes):
            _acts(subject, case, option.name)
        _either_sign(subject, case, option.name)
        if signature.exempt.get("order") == COUPLES:
            _cut(subject, case, option.name)


def _cut(subject: Subject, case: Case, name: str) -> None:
    """A bound on all gradients together does not depend on how they are cut into tensors, where nothing else does."""
    signature: Any = subject.rule
    large = {"lr": 0.5} if "lr" in case.hyper and 0.5 in signature.option("lr").values else {}
    whole = ordinary(subject, case.with_(hyper={**case.hyper, **signature.defaults, **large}))
    size = len(whole.theta)
    whole = whole.with_(shapes=((size,),), groups=())
    for bound in HIGH[0], EXCEEDED:
        one = whole.with_(hyper={**whole.hyper, name: bound})
        other = one.with_(shapes=((size // 3,), (size - size // 3,)))
        first = one.with_(shapes=((size // 3,),), theta=one.theta[: size // 3], grads=one.grads[:, : size // 3])
        expected, seen, alone = (attempted(subject, each) for each in (one, other, first))
        if expected is None or seen is None or alone is None or not np.isfinite(expected.theta).all():
            return
        far = farther_than_rounding(subject, one, expected, seen.theta)
        if bound != EXCEEDED and (far is None or far.any()):
            return  # what else a step does depends on it
        if bound == EXCEEDED and not same_bits(seen.theta[:, : size // 3], alone.theta).all():
            what = f"{name} bounds gradients otherwise where they are cut into more tensors"
            but_for_rounding(what, subject, (other, seen), (one, expected))


def _acts(subject: Subject, case: Case, name: str) -> None:
    """A bound that every gradient exceeds changes a step, or the state, beside some combination of options."""
    without: list[tuple[Case, Case]] = []
    for hyper in combinations(subject.rule):
        plain = ordinary(subject, case.with_(hyper={**case.hyper, **hyper}))
        one, other = (plain.with_(hyper={**plain.hyper, name: bound}) for bound in (LOW, HIGH[0]))
        seen, expected = attempted(subject, one), attempted(subject, other)
        if seen is None or expected is None:
            continue
        current().compared(seen.theta.size)
        if not same_run(seen, expected):
            return
        without.append((one, other))
    if without and not leaves_out(subject, name, [one for pair in without for one in pair]):
        with compared(*without[0], unlike=True):
            what = f"{name} changes no step, however low it is"
            raise breach(what, subject, without[0][0], "the steps of no bound", "other steps", 1)


def _either_sign(subject: Subject, case: Case, name: str) -> None:
    """A bound that changes steps of gradients of one sign changes those of the other, beside the defaults."""
    signature: Any = subject.rule
    plain = ordinary(subject, case.with_(hyper={**case.hyper, **signature.defaults}))
    acts: dict[float, tuple[Case, Case, bool]] = {}
    for sign in (1.0, -1.0):
        mine = plain.with_(grads=sign * np.abs(plain.grads))
        one, other = (mine.with_(hyper={**mine.hyper, name: bound}) for bound in (LOW, HIGH[0]))
        seen, expected = attempted(subject, one), attempted(subject, other)
        if seen is None or expected is None:
            return
        current().compared(seen.theta.size)
        acts[sign] = one, other, not same_run(seen, expected)
    if acts[1.0][2] != acts[-1.0][2]:
        one, other, _ = acts[-1.0 if acts[1.0][2] else 1.0]
        with compared(one, other, unlike=True):
            which = "negative" if acts[1.0][2] else "positive"
            what = f"{name} bounds no {which} gradient, and others it does"
            raise breach(what, subject, one, "the steps of no bound", "other steps", 1)
