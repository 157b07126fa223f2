"""The report as JSON: the schema is verifier/schema/report.schema.json; enum names are stored, not sentences."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from verifier.evidence import SCHEMA_VERSION
from verifier.report import Report, exit_code
from verifier.rows import Claim, ProofRow, Row, Run

MACHINE = ("torch", "python", "cpu", "device", "seed", "commit")
"""What is always said of the machine; null where it is not known."""


def render(report: Report) -> str:
    """`report` as JSON text, keys in the documented order, strict: infinities and NaN become 'inf' and 'nan'."""
    return json.dumps(plain(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plain(report: Report) -> dict[str, Any]:
    """`report` as plain data."""
    code, sentence = exit_code(report)
    return {
        "schema_version": SCHEMA_VERSION,
        "exit_code": code,
        "machine": _machine(report),
        "targets": _targets(report),
        "evidence": [_row(row) for row in report.evidence],
        "summary": report.counts,
        "sentence": sentence,
        "profile": report.profile,
        "interrupted": report.interrupted,
        "missing": report.missing,
        "runs": [_run(run) for run in report.runs],
        "claims": [_claim(claim) for claim in report.claims],
        "proofs": [_proof(proof) for proof in report.proofs],
        "power": [asdict(row) for row in report.power],
        "unexamined": [asdict(row) for row in report.unexamined],
        "not_covered": [asdict(row) for row in report.not_covered],
        "stale": [asdict(row) for row in report.out_of_date],
        "derivations": [{"rule": d.rule, "cite": d.cite, "text": d.text, "latex": d.latex} for d in report.derivations],
        "timings": [{"name": t.name, "seconds": _finite(t.seconds)} for t in report.timings],
    }


def _machine(report: Report) -> dict[str, Any]:
    known = {key: report.machine.get(key) for key in MACHINE}
    known["seed"] = report.seed if known["seed"] is None else known["seed"]
    first = report.runs[0] if report.runs else None
    known["device"] = known["device"] or (first.device or None if first else None)
    return {**known, **{key: _finite(value) for key, value in report.machine.items() if key not in known}}


def _targets(report: Report) -> list[dict[str, Any]]:
    """The targets that were recorded, and those that rows alone name."""
    found: dict[tuple[str, str | None], dict[str, Any]] = {}
    for one in report.targets:
        lift = {"status": "opaque", "formula": "", "stopped_by": None} | dict(one.lift)
        proof = {"status": "not-applicable", "difference": ""} | dict(one.proof)
        known = {name: value for name, value in asdict(one).items() if name != "notes"}
        found[one.target, one.rule] = known | {"lift": lift, "proof": proof}
    for row in report.evidence:
        rule = row.law.partition(".")[0] if "." in row.law else None
        if row.target and (row.target, rule) not in found:
            found[row.target, rule] = {
                "target": row.target,
                "rule": rule,
                "rule_source": "declared" if rule else None,
                "weight_decay": "unknown",
                "lift": {"status": "opaque", "formula": "", "stopped_by": "no lift was asked for"},
                "proof": {"status": "not-applicable", "difference": ""},
            }
    return list(found.values())


def _row(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "target": row.target or None,
        "law": row.law,
        "subject": row.subject,
        "verdict": row.verdict.value,
        "strength": row.strength.value,
        "expected_failure": row.expected_failure,
        "cases": row.cases,
        "margin": _finite(row.margin),
        "observed": row.observed or None,
        "expected": row.expected or None,
        "step": row.step,
        "repro": row.repro or None,
        "replay": row.replay or None,
        "parameter": row.tensor,
        "element": row.element,
        "ulps": _finite(row.ulps),
        "equals": row.equals or None,
        "message": row.message,
        "reason": row.reason,
        "elements": row.elements,
        "vacuous": row.vacuous,
        "discriminates": list(row.discriminates),
        "options": dict(row.options),
        "seconds": _finite(row.seconds),
        "machine": row.machine or None,
    }


def _run(run: Run) -> dict[str, Any]:
    told = asdict(run)
    del told["out"]  # a folder of this machine
    return told | {
        "machine": {key: _finite(value) for key, value in run.machine.items()},
        "interrupted": run.interrupted,
        "seconds": _finite(run.seconds),
    }


def _claim(claim: Claim) -> dict[str, Any]:
    strength = claim.strength.value if claim.strength else None
    return asdict(claim) | {"verdict": claim.verdict.value, "strength": strength, "evidence": list(claim.evidence)}


def _proof(proof: ProofRow) -> dict[str, Any]:
    witness = dict(proof.witness) if proof.witness is not None else None
    return asdict(proof) | {"where": list(proof.where), "witness": witness, "seconds": _finite(proof.seconds)}


def _finite(value: Any) -> Any:
    """`value`, or its name where it is a float that JSON has no word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value
