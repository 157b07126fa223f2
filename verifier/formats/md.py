"""The report as GitHub-flavoured Markdown, readable as plain text too."""

from __future__ import annotations

import functools
from collections import Counter

from jinja2 import Template

from verifier.formats import commands, limits, targets, view
from verifier.formats.templating import code, environment, plural, prose
from verifier.report import Report, exit_code


@functools.cache
def template() -> Template:
    """The template, compiled."""
    found = environment()
    found.filters["fenced"] = fenced
    return found.get_template("report.md")


def render(report: Report) -> str:
    """`report` as Markdown; foreign text in it is escaped, so that 2*lam*w stays what it is."""
    number, sentence = exit_code(report)
    views = view.rules(report)
    shares = limits.margins(report)
    gaps = limits.gaps(report, views)
    text = template().render(
        report=report,
        code=number,
        sentence=sentence,
        tone=view.tone(number),
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
        margins=shares,
        most=max(*shares.bins, shares.over, 1),
        gaps=gaps,
        listed=_listed(report, gaps),
        rerun=commands.rerun(report),
    )
    return _single_spaced(text)


def fenced(text: str) -> str:
    """`text` as a fenced block, the fence longer than any in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def _listed(report: Report, gaps: limits.Gaps) -> list[tuple[str, str, list[str]]]:
    """(heading, introduction, lines) of the gaps that are lists."""
    vacuous = [f"{code(law)}: {n:,} of {elements:,}" for law, n, elements in gaps.vacuous]
    unmeasured = [f"{plural(len(gaps.unmeasured), 'law')}, by name in report.html"] if gaps.unmeasured else []
    missing = [f"{plural(report.missing, 'planned row')} left no evidence"] if report.missing else []
    return [
        (
            "Not proved",
            "",
            [f"{code(p.law)}: {p.status}{f' by {prose(p.method)}' * bool(p.method)}" for p in gaps.undecided],
        ),
        (
            "Laws that could not have failed",
            "On the cases drawn, no known mistake breaks them.",
            list(map(code, gaps.blind)),
        ),
        ("Mistakes that no law rejects", "", [f"{code(mutant)} of {rule}" for rule, mutant in gaps.survivors]),
        (
            "Unexamined options",
            "No case drew them away from their default.",
            [f"{code(u.rule)}: {code(u.option)}{f' ({prose(u.reason)})' * bool(u.reason)}" for u in gaps.unexamined],
        ),
        ("Vacuous element-checks", "Their enclosure was unbounded, so they show nothing.", vacuous),
        ("Not covered at all", "", [f"{code(one.name)}: {prose(one.reason)}" for one in report.not_covered]),
        ("Laws whose power was not measured", "", unmeasured),
        ("Never written", "", missing),
    ]


def _single_spaced(text: str) -> str:
    """`text` with one blank line where the template left several, outside fenced blocks, and one newline at its end."""
    lines: list[str] = []
    fence = ""
    for line in text.rstrip().split("\n"):
        if line.startswith("```"):
            fence = "" if fence and line.startswith(fence) else fence or line.removesuffix("text")
        if fence or line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip() if not fence else line)
    return "\n".join(lines) + "\n"
