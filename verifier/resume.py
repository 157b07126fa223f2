"""Runs that can be told apart: what a run depends on, as one fingerprint, and the interrupted run to go on from."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from verifier.evidence import read

PACKAGES = ("hypothesis", "numpy", "python-flint", "sympy", "torch")
"""Their versions decide what is drawn, computed or tested."""


def versions() -> dict[str, str]:
    """The installed version of every package of `PACKAGES` and of Python; 'absent' for one that is not installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def fingerprint(folders: Iterable[Path], **chosen: Any) -> str:
    """A digest of the sources in `folders`, the versions, and what was `chosen` (seed, profile, device).

    Two runs with the same fingerprint check the same cases of the same laws on the same code, so that one may go on
    where the other stopped. Contents count, times and places of files do not.
    """
    digest = hashlib.sha256()
    for key, value in sorted({**versions(), **chosen}.items()):
        digest.update(f"{key}={value}\n".encode())
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def head(path: Path) -> Mapping[str, Any]:
    """The start record of an evidence file; empty where it has none yet."""
    for record in read(path):
        return record if record.get("kind") == "start" else {}
    return {}


def interrupted(evidence: Path, fingerprint: str) -> Path | None:
    """The newest evidence file of the folder whose run has this fingerprint and did not reach its end, or None."""
    newest = sorted(evidence.glob("*.jsonl"), key=lambda path: (path.stat().st_mtime, path.name), reverse=True)
    for path in newest:
        start: Mapping[str, Any] = {}
        last: Mapping[str, Any] = {}
        try:
            for record in read(path):
                start = start or record
                last = record
        except ValueError:  # somebody else's file, or a damaged one: not to be gone on from
            continue
        if start.get("kind") != "start" or start.get("fingerprint") != fingerprint:
            continue
        finished = last.get("end") is True and not last.get("interrupted")
        return None if finished else path
    return None


def mend(path: Path) -> None:
    """Cuts off a last line that a kill left unfinished, so that what is appended starts on a line of its own."""
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        path.write_bytes(content[: content.rfind(b"\n") + 1])
