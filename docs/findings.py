"""Writes docs/findings.md: what is wrong in the shipped torch, from the docstrings of the scripts that show it.

`--check` changes nothing and fails where the page is not what it would be.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "findings.md"

HEAD = """# What is wrong in torch 2.13.0

Found by the properties and by `verifier audit torch.optim --profile ci`, on CPU. Each script imports torch alone and
exits 1 while the defect is there; `tests/test_findings.py` runs them all. Reports were searched for in GitHub's issues
and pull requests, as stored in autumn 2026, with the words given; that none was found does not say that there is none.
Written by `python docs/findings.py`.

| what is wrong | script | report |
| --- | --- | --- |
"""


def row(script: Path) -> str:
    """The line of one script: the first sentence of its docstring, a link, and what its `Report:` paragraph says."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    first, report = text.partition("\n\n")[0], text.partition("\n\nReport: ")[2]
    report = re.sub(r"(\w+/\w+)#(\d+)", r"[\1#\2](https://github.com/\1/issues/\2)", " ".join(report.split()))
    return f"| {' '.join(first.split())} | [{script.stem}](../tests/findings/{script.name}) | {report} |"


def page() -> str:
    """The whole page."""
    return HEAD + "\n".join(row(script) for script in sorted((ROOT / "tests" / "findings").glob("*.py"))) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the page, or says that it is not what it would be."""
    if "--check" in arguments:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
