"""The report as one self-contained HTML page: no external resource, light and dark, readable without a script."""

from __future__ import annotations

import functools
from collections import Counter

from jinja2 import Template

from verifier.formats import commands, limits, targets, view
from verifier.formats.templating import environment
from verifier.report import Report, exit_code
from verifier.rows import Row


@functools.cache
def template() -> Template:
    """The template, compiled."""
    found = environment()
    found.filters["tooltip"] = tooltip
    return found.get_template("report.html")


def render(report: Report) -> str:
    """`report` as an HTML page. Foreign text in it is escaped, and its policy forbids loading anything."""
    code, sentence = exit_code(report)
    views = view.rules(report)
    shares = limits.margins(report)
    return template().render(
        report=report,
        code=code,
        sentence=sentence,
        tone=view.tone(code),
        title=view.title(report),
        facts=view.facts(report),
        counts=report.counts,
        proofs=Counter(proof.status for proof in report.proofs),
        many=len(report.machines) > 1,
        strengths=view.STRENGTHS,
        described=targets.described(report),
        findings=view.findings(report),
        elsewhere=view.elsewhere(report),
        says={proof.law: proof.says for proof in report.proofs},
        again=commands.again,
        views=views,
        known={law.id for one in views for law in one.laws} | {claim.id for claim in report.claims},
        matrix=view.matrix(views),
        margins=shares,
        most=max(*shares.bins, shares.over, 1),
        gaps=limits.gaps(report, views),
        sections=_sections(report, bool(views), bool(shares.rows)),
        rerun=commands.rerun(report),
    )


def tooltip(row: Row) -> str:
    """What a cell of a law's table says when it is pointed at."""
    parts = [view.status(row), row.strength.value, f"{row.cases:,} cases", f"{row.elements:,} element-checks"]
    parts += [f"{row.vacuous:,} vacuous"] if row.vacuous else []
    parts += [f"margin {view.number(row.margin)}"] if row.margin is not None else []
    parts += [row.reason] if row.reason else []
    return " · ".join([row.id, *parts])


def _sections(report: Report, rules: bool, margins: bool) -> list[tuple[str, str]]:
    every = (
        ("claims", "Claims", bool(report.claims)),
        ("targets", "What it is", bool(targets.described(report))),
        ("strengths", "What the words mean", True),
        ("findings", "Findings", bool(view.findings(report) or view.elsewhere(report) or report.out_of_date)),
        ("matrix", "Laws by rule", rules),
        ("rules", "Rule by rule", rules),
        ("margins", "Margins", margins),
        ("gaps", "Not shown", True),
        ("runs", "Runs and machines", True),
    )
    return [(anchor, name) for anchor, name, there in every if there]
