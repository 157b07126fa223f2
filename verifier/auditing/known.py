"""What is known of the targets of an audit, learnt once and read by every process that needs it."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import time
from pathlib import Path
from typing import Any

from verifier.auditing.request import Request, argument

FOLDER = "VERIFIER_KNOWN"
"""The variable of the environment that names the folder; without one nothing is kept."""

POLL = 0.01  # seconds

BLAMELESS = {"UsageError", "Question", "NoSignature", "Untestable", "ImportError", "ModuleNotFoundError"}
"""Errors that say a target cannot be tested here, and not that it does wrong."""


def blame(answer: tuple[str, str]) -> dict[str, Any]:
    """Why a target cannot be run, by the error that its child met, as type and text; and whose fault that is."""
    kind, text = answer
    wrong = kind not in BLAMELESS
    ours = kind in ("ImportError", "ModuleNotFoundError") and re.search(r"'verifier['.]", text) is not None
    told = text if not wrong or kind == "Misstep" else f"it raises {kind}: {text}"
    return {"reason": told, "wrong": wrong, "usage": kind in ("UsageError", "Question"), "broken": ours}


def place(request: Request) -> Path | None:
    """The file that holds what is known of the target of a request."""
    folder = os.environ.get(FOLDER)
    return Path(folder, _name(request)) if folder else None


def _name(request: Request) -> str:
    asked = repr((request.target, request.rule, request.args, request.profile))
    return f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.known"


def refused(folder: Path, target: str, rule: str, args: str, profile: str) -> str:
    """What the person who named the target did that cannot work, as a child found out; empty where nothing."""
    path = folder / _name(Request(target, rule, tuple(argument(text) for text in json.loads(args)), profile))
    beside = path.with_suffix(".usage")
    return beside.read_text(encoding="utf-8") if beside.is_file() else ""


def lost(folder: Path, target: str, rule: str, args: str, profile: str, answer: Any) -> None:
    """Writes an answer for a process that was to learn of the target and ended before it wrote one."""
    path = folder / _name(Request(target, rule, tuple(argument(text) for text in json.loads(args)), profile))
    if not path.exists():
        _write(path, answer)


def recall(request: Request) -> Any:
    """What `keep` wrote: what a child answered that learnt of the target; None where nothing was written."""
    path = place(request)
    return pickle.loads(path.read_bytes()) if path is not None and path.is_file() else None


def awaited(request: Request) -> None:
    """Waits until what is to be learnt of the target of a request has been written, where anything is kept.

    Whoever started the audit writes it where the process that was to learn it ends: see `lost`.
    """
    path = place(request)
    while path is not None and not path.is_file():
        time.sleep(POLL)


def keep(request: Request, answer: Any) -> None:
    """Writes what a child answered that learnt of the target of a request."""
    path = place(request)
    assert path is not None
    _write(path, answer)
    if isinstance(answer, tuple) and answer[0] == "UsageError":
        path.with_suffix(".usage").write_text(answer[1], encoding="utf-8")


def _write(path: Path, answer: Any) -> None:
    """Writes an answer in one go: whoever waits for the file reads it as soon as it is there."""
    written = path.with_suffix(".new")
    written.write_bytes(pickle.dumps(answer))
    written.rename(path)
