"""Targets that misbehave get rows of their own, and change nothing for the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import optimizers as hostile
from verifier.auditing.audit import SECONDS_A_ROW, audit
from verifier.subjects.torch_sandbox import Died, in_child

ENDS = {"Segfaults": "SIGSEGV", "Exits": "exit code 0", "Hangs": "does not return"}


def stepped(name: str) -> Any:
    """One step of a target, in a child."""

    def step() -> str:
        import faulthandler

        import torch

        faulthandler.disable()  # pytest's would print this expected end as a crash of its own
        p = torch.nn.Parameter(torch.ones(2))
        optimizer = getattr(hostile, name)([p], lr=0.1)
        p.grad = torch.ones(2)
        optimizer.step()
        return "stepped"

    return in_child(step, seconds=5, memory=4 << 30)


@pytest.mark.parametrize(("name", "how"), ENDS.items())
def test_misbehaves_when_run_alone(name: str, how: str) -> None:
    """A hostile target really does what it is here for."""
    found = stepped(name)

    assert isinstance(found, Died)
    assert how in found.how


@pytest.mark.parametrize("name", ["SystemExits", "FillsMemory", "RaisesOddly", "RaisesBase"])
def test_raises_when_run_alone(name: str) -> None:
    """A hostile target really raises what it is here for."""
    found = stepped(name)

    assert isinstance(found, tuple)
    assert found[0] in ("SystemExit", "RuntimeError", "MemoryError", "Unprintable", "KeyboardInterrupt")


def rows_of(target: str, out: Path) -> list[dict[str, Any]]:
    """The evidence of an audit of one target, and of a well-behaved one after it."""
    report = audit(target, "tests.broken.optimizers:Right", profile="smoke", out=out, workers=2, quiet=True)
    return [dict(row) for row in report.rows]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the well-behaved optimizer's rows are without any neighbour."""
    folder = tmp_path_factory.mktemp("alone")
    report = audit("tests.broken.optimizers:Right", profile="smoke", out=folder, workers=2, quiet=True)
    return {str(row["id"]): str(row["verdict"]) for row in report.rows}


@pytest.mark.nightly
@pytest.mark.parametrize(
    "name",
    ["Segfaults", "Exits", "SystemExits", "Forks", "Floods", "FillsMemory", "ChangesSettings", "Monkeypatches",
     "CannotBePickled", "RaisesOddly", "RaisesBase", "DiesLater"],
)  # fmt: skip
def test_hostile_target_gets_its_rows_and_harms_no_other(name: str, alone: dict[str, str], tmp_path: Path) -> None:
    """The target has at least one row; every row of another target is what it is alone."""
    rows = rows_of(f"tests.hostile.optimizers:{name}", tmp_path)
    theirs = [row for row in rows if str(row["target"]).endswith(name) or str(row["id"]).startswith(name.lower())]

    assert theirs
    assert alone == {str(r["id"]): r["verdict"] for r in rows if str(r["target"]).endswith(":Right")}
    assert not [row["id"] for row in rows if row["verdict"] == "broken"], json.dumps(rows[:3])


def test_row_that_does_not_end_is_no_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row whose time is over says so and is untestable: a busy machine is slow too. It belongs to its target."""
    monkeypatch.setitem(SECONDS_A_ROW, "smoke", 8)

    done = audit("tests.hostile.optimizers:HangsAtNaN", profile="smoke", out=tmp_path, workers=2, quiet=True)

    rows = [row for row in done.rows if row["law"].endswith(".nan_stays")]
    assert {"did not end within 8 s"} == {row["reason"] for row in rows}
    assert {("untestable", "tests.hostile.optimizers:HangsAtNaN")} == {(r["verdict"], r["target"]) for r in rows}
    assert not [name for found in done.findings for name in found.rows if "nan_stays" in name]


def test_reading_that_takes_long_is_said_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class whose code takes us too long to read is audited without a rule: that is no fault of its own."""
    from verifier.auditing import probe
    from verifier.auditing.request import Request

    monkeypatch.setattr(probe, "READING", 0.001)

    found = probe.learn(Request("torch.optim:SGD", "", (), "smoke"))

    assert [] == [*found.held, *found.proofs]
    assert "reading it takes more than 0.001 seconds" == found.described["lift"]["stopped_by"]
    assert found.signature is not None


def test_learning_that_does_not_end_is_no_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that is not learnt of in time is untestable, with the reason: a busy machine is slow too."""
    from verifier.auditing import known, probe
    from verifier.auditing.request import Request

    monkeypatch.setattr(known, "recall", lambda request: Died("does not return within 60 seconds", late=True))

    found = probe.probe(Request("torch.optim:SGD", "", (), "no profile"))

    assert ("it does not return within 60 seconds", False) == (found.reason, found.wrong)
