"""The defects of torch we claim: each script says whether the installed torch has its defect."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPTS = sorted((Path(__file__).parent / "findings").glob("*.py"))
of_torch_2_13 = pytest.mark.skipif(
    not torch.__version__.startswith("2.13."), reason=f"the scripts describe torch 2.13, this is {torch.__version__}"
)


@of_torch_2_13
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_defect_is_there(script: Path) -> None:
    """The script exits 1: torch 2.13 has the defect. A script that exits 0 here describes nothing."""
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(script), run_name="__main__")
    assert 1 == caught.value.code


@of_torch_2_13
def test_script_stands_alone() -> None:
    """A script runs by itself, from anywhere, and its exit code is what the shell sees."""
    script = SCRIPTS[0]
    assert 1 == subprocess.run([sys.executable, str(script)], cwd="/", check=False).returncode


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script_is_short_and_needs_torch_alone(script: Path) -> None:
    """A script imports torch and nothing else, is at most 25 lines, and opens with what is wrong."""
    lines = script.read_text().splitlines()
    assert lines[0].startswith('"""') and len(lines) <= 25
    assert ["import torch"] == [line for line in lines if line.startswith(("import", "from"))]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script_says_whether_it_was_reported(script: Path) -> None:
    """The last paragraph of a script's docstring names a report, or says that none was found and what was searched."""
    said = (ast.get_docstring(ast.parse(script.read_text())) or "").rpartition("\n\n")[2]
    assert said.startswith("Report: ")
    assert "#" in said or "searched: " in said


def test_page_of_findings_is_what_the_scripts_say() -> None:
    """docs/findings.md is what `python docs/findings.py` would write."""
    page = Path(__file__).parent.parent / "docs" / "findings.py"
    assert 0 == subprocess.run([sys.executable, str(page), "--check"], check=False).returncode


def test_page_of_findings_says_of_each_script_what_shows_the_same() -> None:
    """No script is without its word on what else shows it, and every contract named there exists."""
    from verifier.contract_table import CONTRACTS

    page = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "findings.py"))
    named = {name for words in page["SHOWN"].values() if "audit of" in words for name in re.findall(r"`(\w+)`", words)}

    assert [script.stem for script in SCRIPTS] == sorted(page["SHOWN"])
    assert {"step_follows"} == named - {row.name for row in CONTRACTS}
