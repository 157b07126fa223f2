"""An audit that was interrupted, however it was, is gone on from: what was measured is on disk, and stays as it was."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from verifier.auditing import again
from verifier.auditing.audit import Options
from verifier.evidence import append

SOURCE = Path(__file__).parent / "broken" / "optimizers.py"
ENOUGH = 20
"""Rows after which the audit is interrupted."""


def started(out: Path) -> subprocess.Popen[bytes]:
    """A smoke audit in a process of its own, whose log nobody reads; of a copy, beside which nobody edits anything."""
    copy = out / "copied" / "right.py"
    if not copy.exists():
        copy.parent.mkdir()
        shutil.copy2(SOURCE, copy)
    words = [sys.executable, "-m", "verifier", "audit", f"{copy}:Right", "--profile", "smoke", "--workers", "1", "-q"]
    return subprocess.Popen([*words, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def at_it(out: Path) -> bool:
    """Whether a process is there that was told to write there: of an audit that was killed, one that is yet to end."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            if str(out / "audit").encode() in place.read_bytes():
                return True
    return False


def lines(out: Path) -> list[bytes]:
    """The whole lines of the one evidence file there is."""
    files = sorted(out.glob("audit/evidence/*.jsonl"))
    assert len(files) <= 1
    return files[0].read_bytes().splitlines(keepends=True) if files else []


def rows(out: Path) -> list[dict[str, Any]]:
    return [r for r in map(json.loads, filter(lambda x: x.endswith(b"\n"), lines(out))) if r["kind"] == "evidence"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)], ids=["kill", "interrupt"]
)
def test_interrupted_audit_is_gone_on_from(number: signal.Signals, tmp_path: Path) -> None:
    """Ended half way, it leaves its rows; asked for again, it keeps them and adds the others, each once."""
    first = started(tmp_path)
    while len(rows(tmp_path)) < ENOUGH and first.poll() is None:
        time.sleep(0.05)
    first.send_signal(number)
    first.wait()
    assert {signal.SIGKILL: -9, signal.SIGINT: 130}[number] == first.returncode
    while at_it(tmp_path):
        time.sleep(0.05)
    before = rows(tmp_path)

    assert 0 == started(tmp_path).wait()

    after = rows(tmp_path)
    assert before == after[: len(before)]
    assert len(after) > len(before) >= ENOUGH
    assert {1} == set(Counter(row["id"] for row in after).values())
    assert json.loads(lines(tmp_path)[-1])["interrupted"] is False


def test_what_is_going_on_is_left_alone(tmp_path: Path) -> None:
    """Evidence that somebody is still writing to was not interrupted."""
    path = tmp_path / "audit-1.jsonl"
    append(path, {"kind": "start", "fingerprint": "f"})

    with again.kept(path):
        assert again.interrupted(tmp_path, "f") is None
    assert path == again.interrupted(tmp_path, "f")
    assert again.interrupted(tmp_path, "g") is None


@pytest.mark.parametrize("beside", ["optimizer.py", "part.py"])
def test_the_mark_follows_what_the_target_is_made_of(beside: str, tmp_path: Path) -> None:
    """Another seed, profile or file beside the target is another audit; the number of workers is not."""
    for name in ("optimizer.py", "part.py"):
        (tmp_path / name).write_text("x = 1\n", encoding="utf-8")
    target = (f"{tmp_path}/optimizer.py:X",)
    mark = again.mark(Options(), target)

    assert mark == again.mark(Options(workers=7), target)
    assert mark not in {again.mark(o, target) for o in (Options(seed=1), Options(profile="smoke"), Options(rule="sgd"))}
    (tmp_path / beside).write_text("x = 22\n", encoding="utf-8")
    os.utime(tmp_path / beside)
    assert mark != again.mark(Options(), target)
