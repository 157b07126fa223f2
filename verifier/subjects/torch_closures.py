"""What steps that need a closure do with it: how often they evaluate it, and whether they read the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verifier.case import Case
from verifier.floats import FORMATS, same_bits
from verifier.subjects.torch_foreign import Foreign
from verifier.subjects.torch_life import Life
from verifier.subjects.torch_signature import Signature


def evaluations(signature: Signature, case: Case) -> int:
    """The most times that a step of the case evaluates its closure; 0 where steps need none."""
    if not signature.needs_closure:
        return 0
    found = Life(Foreign(signature, FORMATS[signature.widest]), case).run()
    return max((int(calls) for calls, *_ in found.facts.get("closure", ())), default=0)


def reads_loss(signature: Signature, case: Case) -> bool:
    """Whether the steps of the case are others where the loss is another, and falls with each evaluation.

    A loss is made of all parameters, so what it decides couples them: line searches, step sizes made of the loss.
    """
    if not signature.needs_closure:
        return False
    subject = Foreign(signature, FORMATS[signature.widest])
    return not same_bits(_Falling(subject, case).run().theta, Life(subject, case).run().theta).all()


class _Falling(Life):
    """A life in which the loss is a quarter of what it was at each evaluation of a closure."""

    def _timed(self, step: Callable[..., Any], *arguments: Any) -> Any:
        share = 1.0

        def falling() -> Any:
            nonlocal share
            share /= 4
            return arguments[0]() * share

        return super()._timed(step, *((falling,) if arguments else ()))
