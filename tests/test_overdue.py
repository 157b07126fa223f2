"""Imports of targets that hang or end a worker are bounded, and no worker does them again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from verifier.auditing import overdue
from verifier.auditing.probe import UNIMPORTABLE, probe
from verifier.auditing.request import Request

TARGET = "tests.broken.optimizers:Right"


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A file of evidence beside which workers may say what they do."""
    path = tmp_path / "audit.jsonl"
    overdue.running(path).mkdir()
    return path


def test_an_import_that_ends_well_leaves_nothing(evidence: Path) -> None:
    """While it goes on it is written down; after it the next worker may import the target too."""
    with overdue.importing(evidence, TARGET):
        assert 1 == len(list(overdue.running(evidence).iterdir()))
        assert "" == overdue.spoilt(evidence, TARGET)  # we are alive

    assert [] == list(overdue.running(evidence).iterdir())
    assert "" == overdue.spoilt(evidence, TARGET)


def test_an_import_that_ended_its_process_is_not_done_again(evidence: Path) -> None:
    """What a dead process left says so, of its target alone."""
    forked = os.fork()
    if forked == 0:
        with overdue.importing(evidence, TARGET):
            os._exit(0)
    os.waitpid(forked, 0)

    assert "importing it once more ended the process" == overdue.spoilt(evidence, TARGET)
    assert "" == overdue.spoilt(evidence, f"{TARGET}s")


def test_an_import_that_hangs_is_ended_and_not_done_again(evidence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller ends the worker when its time is over, and not before; the next worker is told."""
    worker = subprocess.Popen(["sleep", "600"], start_new_session=True)
    said = overdue.running(evidence) / str(worker.pid)
    said.write_text(f"{time.time()} 60 import of {TARGET}", encoding="utf-8")

    overdue.look(evidence)
    assert worker.poll() is None

    said.write_text(f"{time.time() - 1000} 60 import of {TARGET}", encoding="utf-8")
    overdue.look(evidence)
    assert -signal.SIGKILL == worker.wait(10)
    assert "importing it once more did not end within 60 s" == overdue.spoilt(evidence, TARGET)


def test_who_cannot_import_a_target_knows_it_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker has the same tests of it as the others, with nothing in the place of the class."""
    monkeypatch.setitem(UNIMPORTABLE, TARGET, "it hangs")
    found = probe(Request(TARGET, profile="nightly"))

    assert found.signature is not None
    assert "" == found.reason
    assert "Right" != getattr(found.signature.build, "__name__", "")


@pytest.mark.parametrize(
    ("settled", "said", "again"), [(False, "again", ["a"]), (True, "again", [])], ids=["not yet settled", "settled"]
)
def test_a_row_whose_process_ends_is_asked_again_unless_it_is_settled(
    settled: bool, said: str, again: list[str], evidence: Path
) -> None:
    """A process that ends after the row was reported takes nothing with it: the row is there, and there once."""
    seen = overdue.Overdue(SimpleNamespace(option=SimpleNamespace(verifier_evidence=str(evidence))))
    reported = SimpleNamespace(nodeid="a", user_properties=[("verifier", "{}")] if settled else [])
    died: Any = SimpleNamespace(when="???")
    pending: list[str] = []

    seen.pytest_runtest_logreport(reported)
    seen.pytest_handlecrashitem("a", died, SimpleNamespace(mark_test_pending=pending.append))

    assert (said, again) == (died.when, pending)


def test_row_that_breaks_pytest_says_with_what(tmp_path: Path) -> None:
    """A row is not run, and its worker is gone, where pytest itself raised; the row's mark says the error's name."""
    evidence = tmp_path / "audit.jsonl"
    overdue.marks(evidence).write_text("OSError one/test.py::test_a[x]\n40 one/test.py::test_b[x]\n")

    told = [overdue.of(evidence, f"one/test.py::test_{name}[x]").get("reason") for name in "abc"]

    broke = "pytest itself raised OSError in the process that it was run in"
    assert [broke, "did not end within 40 s", None] == told
