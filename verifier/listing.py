"""What a run would do: the laws of every rule, the subjects they are put to, and what that cost last time."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from verifier import contracts, evidence, families, lineup, render, rules
from verifier.errors import UsageError
from verifier.plugin import PROFILES


def collect(device: str, out: Path) -> dict[str, Any]:
    """Laws, subjects, cases a profile and costs, as plain data.

    `laws` has an id, a rule, a sentence and the seconds the last run in `out` spent on it (None where there was none);
    `subjects` maps each rule to the ids of its subjects; `cases` maps each profile to the cases a test draws.
    """
    spent = _spent(out)
    laws, subjects = [], {}
    for name in rules.names():
        rule = rules.get(name)
        says = {law.name: law.says for law in families.laws(rule)} | {
            law.name: law.says for law in contracts.laws(rule)
        }
        for law, sentence in says.items():
            key = f"{name}.{law}"
            laws.append({"id": key, "rule": name, "says": sentence, "seconds": spent.get(key)})
        subjects[name] = [subject.id for subject in lineup.of(rule, device)]
    return {"laws": laws, "subjects": subjects, "cases": dict(PROFILES), "not_covered": rules.not_covered()}


def _spent(out: Path) -> dict[str, float]:
    """Law -> seconds over all subjects, in the last run whose evidence is in `out`."""
    try:
        files = render.newest(out)
    except UsageError:  # nothing has run here yet
        return {}
    seconds: Counter[str] = Counter()
    for record in evidence.read(files[0]):
        if record.get("kind") == "evidence":
            seconds[record["law"]] += record.get("seconds", 0.0)
    return {law: round(spent, 3) for law, spent in seconds.items()}


def as_json(found: dict[str, Any]) -> str:
    """The listing as indented JSON."""
    return json.dumps(found, indent=2) + "\n"


def as_text(found: dict[str, Any]) -> str:
    """The listing as text: a block a rule, a line a law."""
    lines = []
    for rule, subjects in found["subjects"].items():
        laws = [law for law in found["laws"] if law["rule"] == rule]
        lines.append(f"{rule}: {len(laws)} laws x {len(subjects)} subjects")
        width = max(len(law["id"]) for law in laws)
        for law in laws:
            cost = f"{law['seconds']:8.2f} s  " if law["seconds"] is not None else ""
            lines.append(f"  {law['id']:<{width}}  {cost}{law['says']}")
    lines += [f"{name}: not covered: {reason}" for name, reason in found["not_covered"].items()]
    cases = ", ".join(f"{name} {count}" for name, count in found["cases"].items())
    return "\n".join([*lines, f"cases a test: {cases}"]) + "\n"
