"""Redraws what the README shows: a picture of the terminal, the figures, an audit, and the output of its commands.

`nox -s docs` runs it after `nox -s verify`; `--check` changes nothing and fails where a command prints something else.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```console\n\$ (?P<command>.*)\n(?P<output>(?:.*\n)*?)```$", re.MULTILINE)
WIDTH = 110  # columns of the picture
FIGURES = re.compile(r"(?<=<!-- figures: nox -s docs -->\n)(?:.*\n)*?(?=<!-- end -->)")
AUDIT = re.compile(r"(?<=<!-- audit: nox -s docs -->\n)(?:.*\n)*?(?=<!-- end -->)")
EXAMPLE = "verifier audit docs/examples/my_adamw.py:MyAdamW"


def printed(command: str) -> str:
    """What a command of the README prints, on stdout and stderr, from the checkout; `| head -n N` is understood."""
    line, _, first = command.partition(" | head -n ")
    program, *arguments = line.split()
    assert program == "verifier", command
    done = subprocess.run(
        [sys.executable, "-m", "verifier", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "".join(done.stdout.splitlines(keepends=True)[: int(first) if first else None])


def audited() -> str:
    """What an audit of the example prints up to its second finding, as a block; its scripts stay in reports/audit."""
    text = printed(EXAMPLE)
    first, second = text.index("docs/examples/my_adamw.py:MyAdamW\n"), text.index("\n  2. ")
    return f"```text\n$ {EXAMPLE}\n{text[first:second]}\n  ...\n\n{text.splitlines()[-1]}\n```\n"


def with_outputs(text: str) -> str:
    """`text` with the output of each console block as it is printed now."""
    return BLOCK.sub(lambda found: f"```console\n$ {found['command']}\n{printed(found['command'])}```", text)


def picture(evidence: list[Path]) -> str:
    """The end of `verifier verify` as a terminal shows it, as SVG without external fonts."""
    from rich.console import Console
    from rich.text import Text

    from verifier import report as reports
    from verifier.formats import terminal

    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print("$ verifier verify", style="bold")
    console.print(Text.from_ansi(terminal.render(reports.collect(evidence), width=WIDTH, colour=True)))
    drawn = console.export_svg(title="verifier verify")
    return re.sub(r"\s*@font-face \{.*?\}(?=\n)", "", drawn, flags=re.DOTALL)


def photograph(page: Path, picture: Path) -> None:
    """A picture of the top of an HTML page, taken by Chromium where there is one."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print(f"no Chromium here: {picture.name} stays as it is")
        return
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
    with tempfile.TemporaryDirectory() as profile:
        where = [f"--user-data-dir={profile}", f"--screenshot={picture}", "--window-size=1200,900", page.as_uri()]
        subprocess.run([chromium, *switches, *where], check=True, capture_output=True)


def figures(evidence: list[Path]) -> str:
    """The figures of the last run, as a sentence."""
    from verifier import report as reports
    from verifier.formats import view

    report = reports.collect(evidence)
    views = view.rules(report)
    proved = sum(proof.status == "proved" for proof in report.proofs)
    elements = sum(row.elements for row in report.evidence)
    seconds = sum(one.seconds for one in report.timings)
    machine = report.machine
    return (
        f"The last `verifier verify` here, profile {report.profile}, seed {report.seed}, torch {machine['torch']}, "
        f"{machine['cores']} cores of {machine['cpu']}: {len(views)} rules, {proved} laws proved, "
        f"{report.counts['held']:,} rows held on {elements:,} element-checks, {report.counts['expected']:,} failures "
        f"listed with their reasons, {report.counts['violated']:,} not listed, {report.counts['untestable']:,} "
        f"untestable, in {seconds:.0f} s.\n"
    )


def main() -> int:
    """Rewrites README.md and docs/verify.svg, or with --check compares the console blocks."""
    text = README.read_text(encoding="utf-8")
    fresh = with_outputs(text)
    if "--check" in sys.argv[1:]:
        print("README.md is up to date" if fresh == text else "README.md is stale; `nox -s docs` rewrites it")
        return int(fresh != text)
    from verifier import render

    evidence = render.newest(ROOT / "reports")
    fresh = FIGURES.sub(lambda found: figures(evidence), fresh)
    README.write_text(AUDIT.sub(lambda found: audited(), fresh), encoding="utf-8")
    (ROOT / "docs" / "verify.svg").write_text(picture(evidence), encoding="utf-8")
    photograph(ROOT / "reports" / "report.html", ROOT / "docs" / "report.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
