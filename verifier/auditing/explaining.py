"""The findings of an audit: explained in forks of the warm process, those of one defect made one, with scripts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier import evidence
from verifier.auditing import causes, ranked
from verifier.auditing import findings as audit_findings
from verifier.auditing.findings import Finding
from verifier.auditing.request import argument
from verifier.auditing.warm import Warm

if TYPE_CHECKING:
    from verifier.auditing.audit import Options

SECONDS = 600.0
"""What all findings of a run together may take to explain, and their scripts to run."""

ENDED = "whatever was to explain it was ended, or did not end in time"
"""Why a finding is told without what matters, a script or a replay."""

MOST = 16
"""Findings of a target that are explained before those of one defect are joined; if there are more, they are after."""


def findings(rows: Sequence[Mapping[str, Any]], options: Options, warm: Warm) -> list[Finding]:
    """The findings among the rows, those that explain best first, each with what `explain` learns of it."""
    several = audit_findings.gathered(rows)
    if len(several) > MOST * len({finding.target for finding in several}):
        several = causes.joined(several, rows)
    explained = audit_findings.deaths(audit_findings.folded(_explained(several, options, warm)))
    return _with_scripts(ranked.ranked(causes.joined(explained, rows)), options, warm)


def _explained(several: Sequence[Finding], options: Options, warm: Warm) -> list[Finding]:
    args = [list(argument(text)) for text in options.args]
    same = {"args": args, "rule": options.rule, "profile": options.profile, "seed": options.seed}
    known = _asked(warm, "main", [finding.to_json() | same for finding in several], str(options.out))
    if known is None:
        return [replace(finding, no_script=ENDED) for finding in several]
    explained = []
    for finding, one in zip(several, known, strict=True):
        explained.append(finding.with_(_printable(one)))
        for more in one.get("beside", ()):  # a second defect, in rows of the first
            rows = tuple(row for row in finding.rows if causes.law_of(row) == causes.law_of(more["law"]))
            second = replace(finding, rows=rows or finding.rows, law=more["law"], formula="", equals="")
            explained.append(second.with_(_printable(more)))
    return explained


def _printable(known: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a finding as text that every terminal has; its scripts as they are."""
    rest = {name: value for name, value in known.items() if name not in ("untried", "beside")}
    return {**evidence.printable(rest), "untried": known.get("untried")}


def _with_scripts(several: Sequence[Finding], options: Options, warm: Warm) -> list[Finding]:
    """The findings with the scripts that show them."""
    waiting = [finding for finding in several if finding.untried]
    given = [finding.untried for finding in waiting]
    known = _asked(warm, "scripts", given, str(options.out), options.profile) if waiting else []
    answers = [{"no_script": ENDED} for _ in waiting] if known is None else known
    shown = {id(finding): more for finding, more in zip(waiting, answers, strict=True)}
    return [replace(finding, untried=None, **shown.get(id(finding), {})) for finding in several]


def _asked(warm: Warm, what: str, given: Sequence[Any], *words: str) -> list[dict[str, Any]] | None:
    """What a function of `explain` answers, in a fork; None where that ends otherwise than it should."""
    with tempfile.TemporaryDirectory() as folder:
        into, out = Path(folder) / "in.json", Path(folder) / "out.json"
        into.write_text(json.dumps(given), encoding="utf-8")
        if warm.ended(warm.start(f"verifier.auditing.explain:{what}", str(into), str(out), *words), SECONDS) != 0:
            return None
        answer: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
        return answer
