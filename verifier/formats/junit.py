"""The report as JUnit XML: a test case a row, so that any CI shows it; red wherever the exit code is."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from verifier.formats import view
from verifier.formats.templating import environment
from verifier.report import Report, exit_code
from verifier.rows import Row


@dataclass(frozen=True)
class _Test:
    group: str
    name: str
    status: str  # one of view.STATUSES
    why: str = ""
    time: float = 0.0  # seconds


@dataclass(frozen=True)
class _Suite:
    name: str
    cases: tuple[_Test, ...]

    @property
    def tests(self) -> int:
        return len(self.cases)

    @property
    def failures(self) -> int:
        return sum(one.status in ("violated", "stale") for one in self.cases)

    @property
    def errors(self) -> int:
        return sum(one.status == "broken" for one in self.cases)

    @property
    def skipped(self) -> int:
        return sum(one.status in ("expected", "inconclusive", "untestable") for one in self.cases)

    @property
    def time(self) -> float:
        return sum(one.time for one in self.cases)


def render(report: Report) -> str:
    """`report` as JUnit XML. Violated and stale rows fail, broken ones are errors, listed, untestable and
    inconclusive ones are skipped with their reason; the suite `verifier` fails whenever the exit code is not 0.
    """
    code, sentence = exit_code(report)
    verdict = _Test("verifier", "exit_code", "held" if code == 0 else "violated", f"exit {code}: {sentence}")
    suites = [_Suite("verifier", (verdict,))]
    if report.claims:
        claims = (_Test("claims", c.id, c.verdict.value, c.detail or c.how or c.claim) for c in report.claims)
        suites.append(_Suite("claims", tuple(claims)))
    proofs = [p for p in report.proofs if p.status in ("proved", "refuted", "undecided")]
    if proofs:
        suites.append(
            _Suite("proofs", tuple(_Test("proofs", p.law, _PROOFS[p.status], p.difference or p.method) for p in proofs))
        )
    if report.out_of_date:
        stale = (_Test("expected failures", one.id, "stale", one.why) for one in report.out_of_date)
        suites.append(_Suite("expected failures", tuple(stale)))
    many = len(report.machines) > 1
    targets = Counter((row.id, row.machine) for row in report.evidence)
    for one in view.rules(report):
        rows = (row for law in one.laws for row in law.rows)
        suites.append(_Suite(one.name, tuple(_test(row, many, targets[row.id, row.machine] > 1) for row in rows)))
    suites = [suite for suite in suites if suite.cases]
    totals = _Suite("", tuple(case for suite in suites for case in suite.cases))
    return environment().get_template("junit.xml").render(title=view.title(report), suites=suites, totals=totals)


_PROOFS = {"proved": "held", "refuted": "violated", "undecided": "inconclusive"}


def _test(row: Row, many: bool, shared: bool) -> _Test:
    """The test of a row, named after its subject, the machine where there are `many`, and the target of a shared id."""
    word = view.status(row)
    why = row.expected_failure or row.reason or row.message or view.MEANINGS[word]
    if word == "violated":
        seen = f"observed {row.observed}, expected {row.expected}" if row.expected else ""
        why = "; ".join(part for part in (row.message or row.reason, view.place(row), seen) if part) or why
    places = [*([row.target] if shared else []), *([row.machine] if many else [])]
    name = f"{row.subject} ({', '.join(places)})" if places else row.subject
    return _Test(row.law, name, word, why, row.seconds if math.isfinite(row.seconds) else 0.0)
