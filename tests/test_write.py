"""Writing properties: the same text every time, differences shown, only proved laws and stated contracts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from verifier import families, write
from verifier.equality.normal import Status
from verifier.law import prove
from verifier.rules import get

ROOT = Path(__file__).parent.parent


def test_committed_properties_are_what_the_rules_give() -> None:
    """One module of the folder, compared with its rule; `verifier write --check` compares them all."""
    committed = (ROOT / "properties" / "test_sgd.py").read_text(encoding="utf-8")
    assert write.module(get("sgd")) == committed


def test_every_test_has_a_law(tmp_path: Path) -> None:
    """Each generated test is called after a law or contract, says it, and calls a check."""
    tree = ast.parse(write.module(get("adamw")))
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in tests] == [f"test_{law.name}" for law in write.laws(get("adamw"))]
    for node in tests:
        assert ast.get_docstring(node)
        assert "check." in ast.unparse(node)


def test_only_proved_laws_are_written() -> None:
    """A law becomes a test only once it is proved."""
    named = {law.id: law for law in families.laws(get("sgd"))}
    for law in write.laws(get("sgd")):
        assert law.id not in named or prove(named[law.id]).status is Status.PROVED


def test_a_law_that_is_not_proved_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every proof undecided, only contracts are left."""
    monkeypatch.setattr(write, "prove", lambda law: prove(law).__class__(law.id, Status.UNDECIDED, "not tried"))
    assert {law.name for law in write.laws(get("sgd"))} <= write.ESSENTIAL


def test_writing_twice_changes_nothing_and_a_change_shows(tmp_path: Path) -> None:
    """The second write is a no-op; an edit by hand is written over."""
    assert [path.name for path in write.write(tmp_path, ["sgd"])] == ["test_sgd.py"]
    assert write.write(tmp_path, ["sgd"]) == []
    path = tmp_path / "test_sgd.py"
    path.write_text(path.read_text().replace("weight_decay", "wd"))
    assert write.write(tmp_path, ["sgd"]) == [path]


def test_check_shows_the_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stale, a missing and a left-over module each show in the diff."""
    monkeypatch.setattr(write, "names", lambda: ("sgd",))
    write.write(tmp_path)
    assert write.check(tmp_path) == ""
    (tmp_path / "test_sgd.py").write_text("# edited\n")
    (tmp_path / "test_gone.py").write_text("# of a rule that is gone\n")
    diff = write.check(tmp_path)
    assert "-# edited" in diff
    assert "-# of a rule that is gone" in diff
    assert [path.name for path in write.write(tmp_path)] == ["test_gone.py", "test_sgd.py"]
