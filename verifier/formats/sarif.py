"""The report as SARIF 2.1.0 (OASIS): what code-scanning pages show; findings only, not the rows that held."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from verifier.formats import commands, view
from verifier.report import Report, exit_code
from verifier.rows import Row

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(report: Report) -> str:
    """`report` as SARIF text: violations are errors, listed ones suppressed with their reason, inconclusive rows open.

    Rows that broke, and an interruption, are notifications of the run, which then was not successful.
    """
    return json.dumps(plain(report), indent=1, ensure_ascii=False) + "\n"


def plain(report: Report) -> dict[str, Any]:
    """The SARIF log as plain data."""
    code, sentence = exit_code(report)
    rows = [row for row in report.evidence if view.status(row) in _KINDS]
    refuted = [proof for proof in report.proofs if proof.status == "refuted"]
    says = {proof.law: proof.says or proof.claim for proof in report.proofs}
    laws = sorted({row.law for row in rows} | {proof.law for proof in refuted})
    places = {law: number for number, law in enumerate(laws)}
    broken = [row for row in report.evidence if view.status(row) == "broken"]
    run = {
        "tool": {
            "driver": {
                "name": "optimizer-verifier",
                "informationUri": "https://pypi.org/project/optimizer-verifier/",
                "rules": [{"id": law, "shortDescription": {"text": says.get(law) or law}} for law in laws],
            }
        },
        "invocations": [
            {
                "executionSuccessful": code not in (5, 130) and not broken,
                "exitCode": code,
                "exitCodeDescription": sentence,
                "toolExecutionNotifications": [_notification(row) for row in broken],
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [
            *(_result(row, places[row.law], report) for row in rows),
            *(_refuted(proof.law, proof.difference, places[proof.law]) for proof in refuted),
        ],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


_KINDS = {
    "violated": ("fail", "error"),
    "expected": ("fail", "note"),
    "stale": ("review", "none"),
    "inconclusive": ("open", "none"),
}


def _result(row: Row, place: int, report: Report) -> dict[str, Any]:
    kind, level = _KINDS[view.status(row)]
    result: dict[str, Any] = {
        "ruleId": row.law,
        "ruleIndex": place,
        "kind": kind,
        "level": level,
        "message": {"text": _text(row, report)},
        "locations": [_location(row, report)],
        "partialFingerprints": {"evidenceId/v1": f"{row.id}{f'@{row.target}' if row.target else ''}"},
    }
    if view.status(row) == "expected":
        result["suppressions"] = [{"kind": "external", "justification": row.expected_failure}]
    return result


def _text(row: Row, report: Report) -> str:
    parts = [row.message or row.reason or view.MEANINGS[view.status(row)]]
    parts += [f"first seen at {view.place(row)}"] if view.place(row) else []
    parts += [f"observed {row.observed}, expected {row.expected}"] if row.expected else []
    parts += [f"{view.number(row.ulps)} ulp apart"] if row.ulps is not None else []
    parts += [f"this is {row.equals}"] if row.equals else []
    parts += [f"run it again: {commands.again(row, report)[0]}"] if commands.again(row, report) else []
    return "; ".join(parts)


def _location(row: Row, report: Report) -> dict[str, Any]:
    """The generated property, or the file of an audited class; and the optimizer as a logical place."""
    logical = [{"fullyQualifiedName": row.target, "kind": "type"}] if row.target else []
    place = row.target.partition(":")[0]
    run = report.machines.get(row.machine) or next(iter(report.runs), None)
    if run is None or not run.run.startswith("audit-") or not place:
        uri = quote(f"properties/test_{view.rule_of(row.law)}.py")
    elif place.endswith(".py"):
        uri = Path(place).as_uri() if Path(place).is_absolute() else quote(place)
    else:
        uri = quote(f"{place.replace('.', '/')}.py")
    found: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}
    return found | ({"logicalLocations": logical} if logical else {})


def _refuted(law: str, difference: str, place: int) -> dict[str, Any]:
    text = f"algebra refutes the law {law}{f': the sides differ by {difference}' if difference else ''}"
    uri = quote(f"properties/test_{view.rule_of(law)}.py")
    location = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}
    return {
        "ruleId": law,
        "ruleIndex": place,
        "kind": "fail",
        "level": "error",
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"evidenceId/v1": law},
    }


def _notification(row: Row) -> dict[str, Any]:
    return {"level": "error", "message": {"text": f"{row.id}: {row.reason or 'the check itself failed'}"}}
