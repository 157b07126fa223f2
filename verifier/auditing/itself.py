"""A target held to the rule read out of its own code: the sources of two laws, and the cases they always try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verifier.auditing.cases import as_vectors, cases, full, rescheduled
from verifier.case import Case

LONG = {"smoke": 300, "ci": 2100, "nightly": 70000}
"""Steps of a long run: past what 8 bits can count and bfloat16 can; float16; 16 bits."""


def sources(found: Any, profile: str) -> dict[str, tuple[str, Any]]:
    """Laws that hold the target to the rule read out of its own code; they need no other rule."""
    signature = found.signature
    if not found.readable:
        return {}
    everything = cases(
        signature, steps=(2, 6), groups=True, schedule=True, absent=found.counts_each, layouts=True, maximize=True
    )
    as_read = (
        "def test_as_read(subject, case):\n"
        '    """Every step is that of the rule read out of the code, in any format, layout, group and schedule."""\n'
        "    check.steps_as_read(subject, case)\n"
    )
    long_run = (
        "def test_long_run(subject, case):\n"
        '    """However many steps were taken, the next is that of the rule read out of the code."""\n'
        f"    check.long_run_as_read(subject, case, {_length(found, profile)})\n"
    )
    long = cases(signature, steps=2, tensors=1)
    if found.of_vectors:
        everything, long = everything.map(as_vectors), long.map(as_vectors)
    return {"as_read": (as_read, everything), "long_run": (long_run, long)}


def _length(found: Any, profile: str) -> int:
    """Steps of a long run: in a smoke run too past what the target's counters can count, where those are of 16 bits."""
    return max(LONG[profile], LONG["ci"] if found.described.get("coarse_counter") else 0)


def examples(found: Any) -> Mapping[str, list[Case]]:
    """Cases of the laws that are always tried: each option of a group changed between steps; a run that is long."""
    if not found.readable:
        return {}
    always = {"as_read": rescheduled(found.signature), "long_run": full(found.signature)}
    return {law: [as_vectors(c) for c in some] if found.of_vectors else some for law, some in always.items()}
