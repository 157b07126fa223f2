"""The documentation shows what is: outputs are the program's, commands exist, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from verifier import cli

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "tests" / "README.md"]


def test_the_readme_shows_what_the_commands_print() -> None:
    """Each console block of the README is run and compared whole; `nox -s docs` rewrites it."""
    command = [sys.executable, "docs/draw.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert "README.md is up to date\n" == done.stdout, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_on_a_page_exists(page: Path) -> None:
    """A page names only commands, options and nox sessions there are."""
    text = page.read_text(encoding="utf-8")
    sessions = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    lines = "\n".join(code(text))
    commands = set(re.findall(r"^verifier ([a-z]+)", lines, re.MULTILINE))
    named = {name for found in re.findall(r"nox -s ((?:\w+ ?)+)", lines) for name in found.split()}
    options = set(re.findall(r"^verifier .*?(--[a-z][a-z-]*)", lines, re.MULTILINE))
    known = {word for command in cli.program.commands.values() for one in command.params for word in one.opts}

    assert set() == commands - set(cli.program.commands)
    assert set() == named - sessions
    assert set() == options - known - {"--help", "--version"}


def code(text: str) -> list[str]:
    """The lines of fenced blocks and the inline code of a page."""
    fenced = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)
    lines = [line.partition("#")[0].removeprefix("$ ").strip() for block in fenced for line in block.splitlines()]
    return [*lines, *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links to files of this project name files that are there."""
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))

    assert [] == [link for link in links if not (page.parent / link).exists()]
