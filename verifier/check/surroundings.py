"""What a step must leave alone: the process around the optimizer, which it shares with whoever trains."""

from __future__ import annotations

from verifier.case import Case, Subject
from verifier.check.alike import breach
from verifier.check.seen import run
from verifier.record import current


def leaves_surroundings(subject: Subject, case: Case) -> None:
    """A run leaves the settings of torch, numpy and Python, and the names of their modules, as they were.

    Asked twice where something changed, as the first run may import what adds filters of warnings, or names.
    """
    from verifier.subjects.torch_surroundings import reseeds, snapshot

    before = snapshot()
    changed = before.changes() if run(subject, case).theta.size else []
    before.restore()
    if changed:
        run(subject, case)
        changed = [what for what in before.changes() if what in changed]
        before.restore()
    if not changed and reseeds(subject.run.args[0], case):  # type: ignore[attr-defined]  # a partial of `torch_foreign.run`
        changed = ["the seed of torch's random numbers"]
    current().compared(1)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        seen = f"changes of {', '.join(changed[:3])}{more}"
        raise breach("a step changes the process around it", subject, case, seen, "everything as it was")
