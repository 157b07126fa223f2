"""What any step does, whatever its rule: it can be taken, and decay alone brings parameters no farther from zero."""

from __future__ import annotations

from verifier.case import Case, Subject
from verifier.check.seen import run
from verifier.record import current


def can_step(subject: Subject, case: Case) -> None:
    """The steps of a case raise nothing."""
    current().compared(run(subject, case).theta.size)
