"""How near the rows came to the edge of their enclosures, and what a report does not show."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from verifier.evidence import Strength, Verdict
from verifier.formats.view import Law, RuleView, by_width, rule_of
from verifier.report import Report
from verifier.rows import ProofRow, Row, Unexamined


@dataclass(frozen=True)
class Margins:
    """How much of their enclosures the rows used: a histogram of tenths, and the middle and largest of each dtype."""

    bins: tuple[int, ...]  # 0 - 0.1, ..., 0.9 - 1
    over: int  # rows beyond 1: violations
    by_dtype: tuple[tuple[str, int, float, float], ...]  # dtype, rows, median, largest

    @property
    def rows(self) -> int:
        return sum(self.bins) + self.over


def margins(report: Report) -> Margins:
    """The distribution of `margin` over all rows that have one."""
    seen = [(row, row.margin) for row in report.evidence if row.margin is not None]
    bins = [0] * 10
    by_dtype: dict[str, list[float]] = defaultdict(list)
    for row, margin in seen:
        if margin <= 1:
            bins[min(9, max(0, int(margin * 10)))] += 1
            by_dtype[[*row.subject.split("-"), "other"][1]].append(margin)
    lines = [(name, len(m), statistics.median(m), max(m)) for name, m in by_dtype.items()]
    lines.sort(key=lambda line: by_width(line[0]))
    return Margins(tuple(bins), len(seen) - sum(bins), tuple(lines))


@dataclass(frozen=True)
class Gaps:
    """What a report does not show: the other half of an honest one."""

    untestable: tuple[tuple[str, int, tuple[str, ...]], ...]  # reason, rows, rules
    inconclusive: tuple[tuple[str, int, tuple[str, ...]], ...]
    undecided: tuple[ProofRow, ...]
    unexamined: tuple[Unexamined, ...]
    vacuous: tuple[tuple[str, int, int], ...]  # law, vacuous element-checks, all of them
    blind: tuple[str, ...]  # laws that no known mistake could have failed
    unmeasured: tuple[str, ...]  # laws whose power nobody looked at
    survivors: tuple[tuple[str, str], ...]  # (rule, mutant) that no law rejects


def gaps(report: Report, views: Sequence[RuleView]) -> Gaps:
    """What was not run, not decided, not drawn, not able to fail, and not rejected."""
    laws = [law for view in views for law in view.laws]
    tested = [law for law in laws if law.counts["held"] and not _only_algebra(law)]
    explicit = {(u.rule, u.option) for u in report.unexamined}
    never = [
        Unexamined(rule, option) for rule, option in _zero_options(report.evidence) if (rule, option) not in explicit
    ]
    return Gaps(
        untestable=_by_reason(report.with_verdict(Verdict.UNTESTABLE)),
        inconclusive=_by_reason(report.with_verdict(Verdict.INCONCLUSIVE)),
        undecided=tuple(p for p in report.proofs if p.status in ("undecided", "refuted")),
        unexamined=(*report.unexamined, *never),
        vacuous=tuple((law.id, law.vacuous, law.elements) for law in laws if law.vacuous),
        blind=tuple(law.id for law in tested if law.measured and not law.kills),
        unmeasured=tuple(law.id for law in tested if not law.measured),
        survivors=tuple((v.name, m) for v in views for m, by_law in v.mutants.items() if not any(by_law.values())),
    )


def _only_algebra(law: Law) -> bool:
    return set(law.strengths) <= {Strength.PROVED, Strength.FAITHFUL}


def _zero_options(rows: Iterable[Row]) -> list[tuple[str, str]]:
    drawn: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for option, cases in row.options.items():
            drawn[rule_of(row.law), option] += cases
    return sorted(key for key, cases in drawn.items() if not cases)


def _by_reason(rows: Iterable[Row]) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.reason or "no reason was recorded"].append(row)
    lines = [(why, len(same), tuple(sorted({rule_of(r.law) for r in same}))) for why, same in found.items()]
    return tuple(sorted(lines, key=lambda line: (-line[1], line[0])))
