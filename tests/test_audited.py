"""The audits of the ecosystem session: what is audited, what becomes of rows, and judgements of what was found."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from verifier.auditing import ecosystem
from verifier.errors import UsageError
from verifier.lift import packages
from verifier.subjects.torch_conventions import torchs_own

ROOT = Path(__file__).parent.parent
SURVEY: list[dict[str, Any]] = [
    {"package": "one", "target": "one.a:Lion"},
    {"package": "one", "target": "one.b:Lamb"},
    {"package": "two", "target": "two:Lion"},
    {"package": "two", "classes": 1},
]


@pytest.fixture(scope="module")
def table() -> Any:
    """docs/audited.py as a module."""
    spec = util.spec_from_file_location("audited", ROOT / "docs" / "audited.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_that_the_survey_found_is_audited_once() -> None:
    """By default every class without a row; a class by its name, or one that the survey did not find."""
    assert {"one": ["one.b:Lamb"], "two": ["two:Lion"]} == ecosystem.chosen((), SURVEY, [{"target": "one.a:Lion"}])
    assert {"one": ["one.a:Lion"]} == ecosystem.chosen(("one:Lion",), SURVEY, ())
    assert {"one": ["one.c:New"]} == ecosystem.chosen(("one:one.c:New",), SURVEY, ())


def test_unknown_package_is_refused() -> None:
    """A name that the survey does not know is an error, not an empty session."""
    with pytest.raises(UsageError, match="no such optimizer"):
        ecosystem.chosen(("tow",), SURVEY, ())


@pytest.mark.nightly
def test_audit_of_a_package_that_imports_what_is_not_there(tmp_path: Path) -> None:
    """A class whose package imports an absent one is audited all the same; its row names no folder of the machine."""
    place = tmp_path / "into" / "odd"
    (place / "odd").mkdir(parents=True)
    (place / ".installed").touch()
    for name in packages.BESIDE:
        (tmp_path / "into" / "beside" / name).mkdir(parents=True)
        (tmp_path / "into" / "beside" / name / ".installed").touch()
    (place / "odd" / "__init__.py").write_text("import absent_of_old\n\nassert absent_of_old.number == 1\n")
    (place / "odd" / "sgd.py").write_text(
        "from absent_of_old.parts import thing\nfrom torch.optim import SGD\n\n\nclass Plain(SGD):\n    pass\n"
    )
    survey = tmp_path / "survey.jsonl"
    survey.write_text(json.dumps({"package": "odd", "target": "odd.sgd:Plain"}) + "\n")
    rows = tmp_path / "rows.jsonl"
    words = [sys.executable, "-m", "verifier.auditing.ecosystem", str(rows), "--into", str(tmp_path / "into")]

    subprocess.run([*words, "--survey", str(survey), "odd"], check=True, capture_output=True, cwd=ROOT)

    (row,) = [json.loads(line) for line in rows.read_text().splitlines()]
    assert "odd.sgd:Plain" == row["target"]
    assert row["rows"]["held"] > 50
    assert str(tmp_path) not in rows.read_text()


def test_loading_that_is_left_to_torch_is_torchs() -> None:
    """A load_state_dict that passes torch's on, as a function or by calling it, shares memory by torch's doing."""

    class Passes:
        def load_state_dict(self, state: Any) -> None:
            print(self, state, super().load_state_dict)  # type: ignore[misc]

    class Own:
        def load_state_dict(self, state: Any) -> None:
            self.state = state

    assert torchs_own(Passes.load_state_dict)
    assert not torchs_own(Own.load_state_dict)


def test_every_finding_is_judged(table: Any) -> None:
    """Each finding of the committed rows is covered by a judgement, and each bug has a script, or words for it."""
    rows = [json.loads(line) for line in table.ROWS.read_text(encoding="utf-8").splitlines()]
    judgements = table.tomllib.loads(table.JUDGEMENTS.read_text(encoding="utf-8"))["judged"]

    assert [] == table.problems(table.judged(rows, judgements), judgements)


def test_page_is_what_rows_and_judgements_say(table: Any) -> None:
    """docs/audited.md and the scripts are what `python docs/audited.py` would write."""
    assert 0 == table.main(["--check"])


def test_finding_without_a_judgement_is_said(table: Any) -> None:
    """A finding that nobody judged, a judgement that covers nothing, and a bug without a script are all named."""
    finding = {"what": "raises", "message": "m", "laws": ["shapes"], "script": ""}
    rows = [{"package": "p", "target": "p:A", "version": "1", "findings": [finding]}]
    bug = {"package": "p", "law": ["shapes"], "verdict": "bug", "says": "it raises"}
    other = {"package": "p", "law": ["groups"], "verdict": "convention", "says": "other"}

    assert ["not judged: p:A: raises"] == table.problems(table.judged(rows, []), [])
    said = table.problems(table.judged(rows, [bug, other]), [bug, other])
    assert ["a bug with neither script nor `by_hand`: p  ['shapes'] 'it raises'"] == said[:1]
    assert "covers no finding" in said[1]
