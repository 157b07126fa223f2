"""Writes docs/audited.md: what audits of other people's packages found, and what each finding was judged to be.

The findings are the rows of reports/audited.jsonl, which `nox -s ecosystem -- --audit` writes; the judgements are
docs/audited.toml, which people write. A finding that no judgement covers is listed as not judged. The script of every
bug goes to docs/audited/. `--check` changes nothing and fails where a file is not what it would be.
"""

from __future__ import annotations

import fnmatch
import json
import re
import sys
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ROWS = ROOT / "reports" / "audited.jsonl"
JUDGEMENTS = ROOT / "docs" / "audited.toml"
PAGE = ROOT / "docs" / "audited.md"
SCRIPTS = ROOT / "docs" / "audited"

VERDICTS = ("bug", "convention", "our error", "not judged")
PLURALS = {"bug": "bugs", "convention": "conventions", "our error": "errors of ours", "not judged": "not judged"}
FIELDS = {"package", "classes", "law", "seen", "verdict", "says", "by_hand"}

Entry = Mapping[str, Any]
Judged = list[tuple[Entry, Entry, Entry | None]]
"""A class's row, one of its findings, and the judgement that covers it."""


def covers(judgement: Entry, row: Entry, finding: Entry) -> bool:
    """Whether a judgement is about a finding: its package, class and law, and the words it was seen with."""
    name = str(row["target"]).rpartition(":")[2]
    laws = judgement.get("law", [])
    words = f"{finding['what']} | {finding['message']}"
    return (
        judgement["package"] == row["package"]
        and any(fnmatch.fnmatchcase(name, pattern) for pattern in judgement.get("classes", ["*"]))
        and (not laws or bool(set(laws) & set(finding["laws"])))
        and re.search(judgement.get("seen", ""), words) is not None
    )


def judged(rows: Iterable[Entry], judgements: Sequence[Entry]) -> Judged:
    """Every finding of the rows, with the first judgement that covers it."""
    return [
        (row, finding, next((j for j in judgements if covers(j, row, finding)), None))
        for row in rows
        for finding in row.get("findings", ())
    ]


def script_name(row: Entry, finding: Entry) -> str:
    """The file that a finding's script goes to."""
    words = f"{row['package']}_{str(row['target']).rpartition(':')[2]}_{finding['laws'][0]}"
    return re.sub(r"\W+", "_", words).lower() + ".py"


def scripts(found: Judged) -> dict[str, str]:
    """The scripts of the bugs, by file name: one a judgement, of the first finding it covers that has one."""
    chosen: dict[int, tuple[str, str]] = {}
    for row, finding, judgement in found:
        if judgement is not None and judgement["verdict"] == "bug" and finding["script"]:
            chosen.setdefault(id(judgement), (script_name(row, finding), finding["script"]))
    return dict(chosen.values())


def problems(found: Judged, judgements: Sequence[Entry]) -> list[str]:
    """What is wrong with the judgements: findings without one, bugs without a script, some that cover nothing."""
    said = [f"not judged: {row['target']}: {finding['what']}" for row, finding, j in found if j is None]
    used = {id(j): [finding for _, finding, other in found if other is j] for _, _, j in found if j is not None}
    for j in judgements:
        name = f"{j['package']} {j.get('classes', '')} {j.get('law', '')} {j['says']!r}"
        if unknown := set(j) - FIELDS:
            said.append(f"unknown fields {sorted(unknown)}: {name}")
        if j["verdict"] not in VERDICTS[:3]:
            said.append(f"verdict {j['verdict']!r}: {name}")
        if id(j) not in used:
            said.append(f"covers no finding: {name}")
        elif j["verdict"] == "bug" and not j.get("by_hand") and not any(f["script"] for f in used[id(j)]):
            said.append(f"a bug with neither script nor `by_hand`: {name}")
    return said


HEAD = """# Optimizers audited in the wild

{0}

Written by `python docs/audited.py` from `reports/audited.jsonl`, which is what the tool said when a package was last
audited (`nox -s ecosystem -- --audit`), and `docs/audited.toml`, which is what a person made of it.

*Bug*: a contract of torch's documentation is broken. The script was run when it was written, and exits 1; where there
is none, the words say how it was seen. *Convention*: done on purpose, though the tool calls it a finding. *Our error*:
the optimizer is right.
"""


def page(rows: Sequence[Entry], judgements: Sequence[Entry], fixed: Sequence[Entry]) -> str:
    """The whole page."""
    found = judged(rows, judgements)
    lines = [
        HEAD.format(textwrap.fill(_totals(rows, found), 120)),
        *_by_package(rows, found),
        *_findings(found, judgements),
    ]
    lines += ["## False alarms that these audits led to, now gone", ""]
    lines += ["| seen on | what was said of it | why it was wrong |", "| --- | --- | --- |"]
    lines += [f"| {one['on']} | {one['said']} | {one['why']} |" for one in fixed]
    lines += ["", "## Not run", "", "| class | why |", "| --- | --- |"]
    lines += [f"| `{row['target']}` | {_cell(row['untestable'])} |" for row in rows if "untestable" in row]
    return "\n".join(lines) + "\n"


def _totals(rows: Sequence[Entry], found: Judged) -> str:
    """How much was audited, and what came of it, in two sentences."""
    ran = [row for row in rows if "untestable" not in row]
    counts = Counter(_verdict(j) for _, _, j in found)
    said = ", ".join(f"{counts[v]} {v if counts[v] == 1 else PLURALS[v]}" for v in VERDICTS if counts[v])
    clean = sum(not row["findings"] for row in ran)
    return (
        f"Smoke audits of {len(ran)} classes from {len({row['package'] for row in rows})} packages that nobody here "
        f"wrote, on CPU: {len(found)} findings, {said or 'none'}. {clean} classes had none, and "
        f"{len(rows) - len(ran)} more could not be run."
    )


def _by_package(rows: Sequence[Entry], found: Judged) -> list[str]:
    lines = ["## By package", ""]
    lines += ["| package | classes | could not be run | without findings | " + " | ".join(VERDICTS) + " |"]
    lines += ["| --- |" + " ---: |" * (3 + len(VERDICTS))]
    for package in sorted({str(row["package"]) for row in rows}):
        mine = [row for row in rows if row["package"] == package]
        could = [row for row in mine if "untestable" not in row]
        tally = Counter(_verdict(j) for row, _, j in found if row["package"] == package)
        numbers = [len(mine), len(mine) - len(could), sum(not row["findings"] for row in could)]
        numbers += [tally[v] for v in VERDICTS]
        lines.append(f"| {package} {mine[0]['version']} | {' | '.join(map(str, numbers))} |")
    return [*lines, ""]


def _findings(found: Judged, judgements: Sequence[Entry]) -> list[str]:
    """A line for each judgement, with the classes it covers; then what is not judged."""
    lines = ["## Findings", "", "| package | classes | finding | judged | script |", "| --- | --- | --- | --- | --- |"]
    shown = scripts(found)
    for j in judgements:
        mine = [(row, finding) for row, finding, other in found if other is j]
        names = [script_name(row, finding) for row, finding in mine]
        name = next((n for n, (_, f) in zip(names, mine, strict=True) if n in shown and shown[n] == f["script"]), "")
        link = f"[{name.removesuffix('.py')}](audited/{name})" if name else str(j.get("by_hand", ""))
        if mine:
            lines.append(_line(j["package"], (row for row, _ in mine), j["says"], j["verdict"], link))
    for row, finding, judgement in found:
        if judgement is None:
            lines.append(_line(str(row["package"]), [row], finding["what"], "not judged", ""))
    return [*lines, ""]


def _verdict(judgement: Entry | None) -> str:
    return str(judgement["verdict"]) if judgement is not None else "not judged"


def _line(package: str, rows: Iterable[Entry], says: str, verdict: str, script: str) -> str:
    names = dict.fromkeys(str(row["target"]).rpartition(":")[2] for row in rows)
    return f"| {package} | {', '.join(names)} | {_cell(says)} | {verdict} | {script} |"


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "/")


def files() -> dict[Path, str]:
    """What every file that this writes should hold."""
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    told = tomllib.loads(JUDGEMENTS.read_text(encoding="utf-8"))
    written = {PAGE: page(rows, told["judged"], told.get("fixed", []))}
    return written | {SCRIPTS / name: text for name, text in scripts(judged(rows, told["judged"])).items()}


def main(arguments: Sequence[str]) -> int:
    """Writes the page and the scripts; or says, with --check, whether they are what they would be."""
    wanted = files()
    there = set(SCRIPTS.glob("*.py")) if SCRIPTS.is_dir() else set()
    if "--check" in arguments:
        stale = there - set(wanted) or any(not p.is_file() or p.read_text("utf-8") != t for p, t in wanted.items())
        return int(bool(stale))
    SCRIPTS.mkdir(exist_ok=True)
    for path in there - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
