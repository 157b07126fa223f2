"""What a switch must leave acting: weight decay, whichever way a switch is turned that does not say on what it acts."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from verifier.case import Case, Subject
from verifier.check.alike import breach
from verifier.check.direction import GRAD, beside, leaves_out, same_run
from verifier.check.pairs import compared
from verifier.check.seen import asked_once, attempted
from verifier.record import current
from verifier.strategies import OF_DECAY

STEPS = 12
"""Steps of which the last are rectified, and decay with that: in published code the first five may not."""

HOW = re.compile(r"no_prox|^(cautious|stable)_decay$")
"""What switches are called that say when or in which order weight decay acts, and not on what: it acts either way.

Those that decouple it are asked of by the contract `decay_switches`.
"""

Told = tuple[Case, Case, bool]
"""A case with weight decay, the same without, and whether they differ."""


def decays_either_way(subject: Subject, case: Case) -> None:
    """Weight decay that changes steps with a switch one way changes some with it the other way; beside the defaults.

    Not asked of switches that say on what it acts, nor where code that names it was not reached.
    """
    signature: Any = subject.rule
    names = [name for name in ("weight_decay", "wd") if name in signature.decays]
    switches = [o.name for o in signature.options if o.kind == "switch"]
    switches = [name for name in switches if HOW.search(name) or not OF_DECAY.search(name)]
    if not names or not asked_once(subject, case, "decay beside switches"):
        return
    seen = {name: _told(subject, case, names[0], {name: 1.0 - signature.defaults[name]}) for name in switches}
    usual = _told(subject, case, names[0], {})
    cases = [one for told in (usual, *seen.values()) if told is not None for one in told[:2]]
    for switch, turned in seen.items():
        if usual is None or turned is None or usual[2] == turned[2] or leaves_out(subject, names[0], cases):
            continue
        with_decay, without, _ = usual if turned[2] else turned
        with compared(with_decay, without, unlike=True):
            way = "on" if with_decay.hyper[switch] else "off"
            what = f"{names[0]} changes no step with {switch} {way}, though it does the other way"
            raise breach(what, subject, with_decay, "the steps without it", "other steps", STEPS)


def _told(subject: Subject, case: Case, name: str, turned: dict[str, float]) -> Told | None:
    """What weight decay tells of ordinary steps with a switch turned; None where they cannot be taken."""
    signature: Any = subject.rule
    grads = np.outer(np.where(np.arange(STEPS) % 3, 0.5, -1.0), GRAD)
    off = {**case.hyper, **signature.defaults, **turned, **dict.fromkeys(signature.decays, 0.0)}
    cases = [beside(subject, case, {**off, name: value}, grads) for value in (signature.decays[name], 0.0)]
    one, other = (attempted(subject, each) for each in cases)
    if one is None or other is None or not (np.isfinite(one.theta).all() and np.isfinite(other.theta).all()):
        return None
    current().compared(one.theta.size)
    return cases[0], cases[1], not same_run(one, other)
