"""The report as a terminal shows it: claims, a line a rule, what is wrong, and the sentence that sums it up."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from verifier.evidence import Verdict
from verifier.formats import commands, limits, view
from verifier.formats.templating import plural
from verifier.report import Report, exit_code

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
NARROW = 80  # columns; below, a table drops the columns that a reader can do without
SHOWN = 5  # findings that are spelt out; the files have them all


def render(report: Report, width: int | None = None, colour: bool | None = None, *, verbose: bool = False) -> str:
    """`report` as text of at most `width` columns; only the last line, the exit code and why, is as long as it is.

    `width` None is the terminal's, `colour` None means colour on a terminal unless NO_COLOR is set to anything.
    """
    if width is None:
        width = shutil.get_terminal_size((100, 24)).columns
    if colour is None:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        highlight=False,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    console.print(draw(report, width=width, verbose=verbose))
    code, sentence = exit_code(report)
    last = Text(f"{view.MARKS[view.tone(code)]} {sentence} (exit {code})", STYLES[view.tone(code)])
    console.print(last, soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def draw(report: Report, *, width: int = 100, verbose: bool = False) -> RenderableType:
    """What is printed before the last line; `verbose` spells out every finding, listed ones too."""
    views = view.rules(report)
    narrow = width < NARROW
    parts: list[RenderableType] = []
    if report.claims:
        parts += [_claims(report, narrow), ""]
    if views:
        parts += [_rules(views, narrow), ""]
    found = view.findings(report)
    shown = found if verbose else tuple(one for one in found if not one.listed)[:SHOWN]
    for one in shown:
        parts += [_finding(one, report), ""]
    listed = sum(one.listed for one in found)
    parts += [_hidden(len(found) - len(shown), listed if not verbose else 0), ""] if len(found) > len(shown) else []
    for word, name, why in view.elsewhere(report)[: None if verbose else SHOWN]:
        parts += [Text.assemble(_word(word), " ", (name, "bold"), f"\n  {why}"), ""]
    for stale in report.out_of_date:
        parts += [Text.assemble(_word("stale"), f" {stale.id} {stale.why}"), ""]
    parts += [*_summary(report, views)]
    return Group(*parts)


def _word(word: str) -> Text:
    return Text(f"{view.MARKS[word]} {view.LABELS[word]}", STYLES[word])


def _claims(report: Report, narrow: bool) -> Table:
    table = _table("The tutorial's claims", "verdict", "claim", *(() if narrow else ("strength",)))
    for claim in report.claims:
        strength = claim.strength.value if claim.strength and claim.verdict is Verdict.HELD else ""
        told = Text.assemble(claim.claim, (f"  {claim.id}", "dim"))
        table.add_row(_word(claim.verdict.value), told, *(() if narrow else (strength,)))
    return table


def _rules(views: Sequence[view.RuleView], narrow: bool) -> Table:
    columns = ("rule", "held", "others") if narrow else ("rule", "laws", "proved", "held", "others", "margin")
    table = _table("The laws of every rule", *columns)
    for column in table.columns:
        if column.header in ("laws", "proved", "held", "margin"):
            column.justify = "right"
    for one in views:
        others = Text(", ").join(
            Text(f"{one.counts[word]:,} {view.MARKS[word] if narrow else view.LABELS[word]}", STYLES[word])
            for word in view.STATUSES
            if one.counts[word] and word != "held"
        )
        name = Text.assemble((view.MARKS[one.status], STYLES[one.status]), f" {one.name}")
        held = f"{one.counts['held']:,}"
        full = (name, str(len(one.laws)), str(one.proofs["proved"]), held, others, view.number(one.margin))
        table.add_row(*((name, held, others) if narrow else full))
    return table


def _finding(finding: view.Finding, report: Report) -> RenderableType:
    row = finding.first
    lines = Table.grid(padding=(0, 1))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column(overflow="fold")
    told = [
        ("listed", row.expected_failure or ""),
        ("where", finding.place),
        ("observed", row.observed),
        ("expected", row.expected),
        ("distance", f"{view.number(row.ulps)} ulp" if row.ulps is not None else ""),
        ("this is", f"{row.equals}, a known mistake" if row.equals else ""),
        ("says", row.message or row.reason),
        ("also on", f"{len(finding.others):,} more" if finding.others else ""),
        ("again", "\n".join(commands.again(row, report)[:1])),
    ]
    for name, text in told:
        if text:
            lines.add_row(name, Text(text))
    head = Text.assemble(_word(view.status(row)), " ", (row.id, "bold"))
    return Group(head, Padding(lines, (0, 0, 0, 2)))


def _hidden(hidden: int, listed: int) -> Text:
    known = f", {listed:,} listed with a reason" if listed else ""
    return Text(f"{plural(hidden, 'more finding')}{known}: see the report, or -v", "dim")


def _summary(report: Report, views: Sequence[view.RuleView]) -> list[Text]:
    counts = report.counts
    rows = [Text(f"{counts[w]:,} {view.LABELS[w]}", STYLES[w]) for w in counts if counts[w]]
    proofs = Counter(proof.status for proof in report.proofs)
    laws = [f"{proofs[word]:,} {word}" for word in ("proved", "refuted", "undecided", "stated") if proofs[word]]
    gaps = limits.gaps(report, views)
    open_ends = (
        (len(gaps.blind), "law", "that no known mistake could have failed"),
        (len(gaps.survivors), "known mistake", "that no law rejects"),
        (len(gaps.unexamined), "option", "unexamined"),
        (sum(n for _, n, _ in gaps.vacuous), "element-check", "vacuous"),
        (len(report.not_covered), "optimizer", "not covered"),
        (report.missing, "planned row", "never written"),
    )
    shown = [f"{plural(number, noun)} {what}" for number, noun, what in open_ends if number]
    lines = [Text.assemble(("rows  ", "dim"), Text(", ").join(rows))] if rows else []
    lines += [Text.assemble(("laws  ", "dim"), ", ".join(laws))] if laws else []
    lines += [Text.assemble(("open  ", "dim"), "; ".join(shown))] if shown else []
    return lines


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(name, no_wrap=name in ("verdict", "rule", "held"), overflow="fold")
    return table
