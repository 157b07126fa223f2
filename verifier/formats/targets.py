"""What the audited optimizers are, as the first lines of an audit's report say it."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.report import Report
from verifier.rows import Target


@dataclass(frozen=True)
class Described:
    """One target: facts (name, text), and what is worth knowing of it and is no bug: conventions and notes."""

    name: str
    facts: tuple[tuple[str, str], ...]
    conventions: tuple[str, ...]
    notes: tuple[str, ...]


def described(report: Report) -> list[Described]:
    """Every target of an audit; nothing for a report of `verify`, which derives its rules instead."""
    if report.claims:
        return []
    return [_described(one) for one in report.targets if one.lift]


def _described(one: Target) -> Described:
    formula = str(one.lift.get("formula") or f"not read: {one.lift.get('stopped_by')}")
    facts = (
        ("formula", formula),
        ("weight decay", str(one.lift.get("decay") or one.weight_decay)),
        ("rule", _rule(one)),
    )
    told = {kind: tuple(text for k, text in one.notes if k == kind) for kind in ("convention", "note")}
    return Described(one.target, facts, told["convention"], told["note"])


def _rule(one: Target) -> str:
    if one.rule_source == "matched":
        where = f", where {' and '.join(one.proof['where'])}" if one.proof.get("where") else ""
        return f"{one.rule}: proved, for every number of steps{where}"
    if one.rule_source == "declared":
        return f"{one.rule}, as declared"
    if one.lift.get("whole_tensors"):
        return str(one.lift["whole_tensors"])
    if one.proof.get("relation"):
        return str(one.proof["relation"])
    nearest = one.proof.get("rule")
    if one.proof.get("status") == "proved" and not one.proof.get("mutant"):
        where = f" where {' and '.join(one.proof['where'])}" if one.proof.get("where") else ""
        return f"{nearest}{where}: proved of what was read, and not held to it in numbers"
    return f"none known; nearest {nearest}" if nearest else "none known"
