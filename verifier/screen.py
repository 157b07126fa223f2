"""A report as a terminal shows it: the claims, a line a rule, what is wrong, and where to read more."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from verifier.evidence import Verdict
from verifier.formats import view
from verifier.report import Report

STYLES = {
    "held": "green",
    "proved": "green",
    "expected": "yellow",
    "inconclusive": "yellow",
    "untestable": "dim",
    "violated": "bold red",
    "stale": "bold red",
    "broken": "bold magenta",
}
SHOWN = 5  # findings that are spelt out; the report has them all


def draw(report: Report, *, verbose: bool = False) -> RenderableType:
    """What `verifier verify` prints at its end, apart from the last line."""
    parts: list[RenderableType] = []
    if report.claims:
        parts += [_claims(report), Text()]
    views = view.rules(report)
    if views:
        parts += [_rules(views), Text()]
    findings = view.findings(report)
    shown = findings if verbose else [one for one in findings if not one.listed][:SHOWN]
    for one in shown:
        parts += [_finding(one, report), Text()]
    for mark, name, why in _others(report)[: None if verbose else SHOWN]:
        parts += [Text.assemble((view.MARKS[mark], STYLES[mark]), " ", (name, "bold"), f"\n  {why}\n")]
    return Group(*parts)


def _others(report: Report) -> list[tuple[str, str, str]]:
    """(mark, id, why) of what is wrong and no violation: refuted laws, our own faults, listings out of date."""
    refuted = [
        ("violated", proof.law, f"refuted: {proof.difference}") for proof in report.proofs if proof.status == "refuted"
    ]
    broken = [("broken", row.id, row.reason) for row in report.with_verdict(Verdict.BROKEN)]
    broken += [("broken", claim.id, claim.detail) for claim in report.claims if claim.verdict is Verdict.BROKEN]
    stale = [("stale", row.id, f"passes, but is listed: {row.expected_failure}") for row in report.passing_but_listed]
    stale += [("stale", one.id, one.why) for one in report.out_of_date]
    return refuted + broken + stale


def _claims(report: Report) -> Table:
    table = _table("The tutorial's claims", "", "verdict", "strength", "claim", "says")
    for claim in report.claims:
        word = claim.verdict.value
        strength = claim.strength.value if claim.strength else ""
        mark = Text(view.MARKS[word], STYLES[word])
        table.add_row(mark, Text(word, STYLES[word]), strength, claim.id, Text(claim.claim, "dim"))
    return table


def _rules(views: Sequence[view.RuleView]) -> Table:
    table = _table("The optimizers' laws", "", "rule", "laws", "proved", "rows", "held", "others", "margin")
    for name in ("laws", "proved", "rows", "held", "margin"):
        next(column for column in table.columns if column.header == name).justify = "right"
    for one in views:
        counts = one.counts
        others = Text(", ").join(
            Text(f"{counts[word]:,} {word}", STYLES[word]) for word in view.STATUSES if counts[word] and word != "held"
        )
        mark = Text(view.MARKS[one.status], STYLES[one.status])
        proved = str(one.proofs["proved"])
        numbers = (f"{counts.total():,}", f"{counts['held']:,}", others, view.number(one.margin))
        table.add_row(mark, one.name, str(len(one.laws)), proved, *numbers)
    return table


def _finding(finding: view.Finding, report: Report) -> Text:
    row = finding.first
    word = view.status(row)
    text = Text.assemble((view.MARKS[word], STYLES[word]), " ", (row.id, "bold"), f"  {finding.place}\n")
    text.append(f"  {row.message or row.reason}\n")
    if row.equals:
        text.append(f"  equals {row.equals}\n")
    if row.expected_failure:
        text.append(f"  listed: {row.expected_failure}\n", "yellow")
    if finding.others:
        text.append(f"  and {len(finding.others):,} more like it\n")
    for command in view.again(row, report)[:1]:
        text.append(f"  {command}", "dim")
    return text


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(name, no_wrap=name not in ("says", "others"), overflow="fold")
    return table


def console(*, width: int | None = None) -> Console:
    """The console for results: stdout, as wide as the terminal, or 120 columns where there is none."""
    found = Console(highlight=False)
    return found if found.is_terminal and width is None else Console(highlight=False, width=width or 120)
