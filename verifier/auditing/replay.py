"""A recorded failure, run again: FIXED, FAILED or ERROR."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.case import Case
from verifier.errors import UsageError

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""No letter in it looks like another, or like a digit."""


@dataclass(frozen=True)
class Recorded:
    """One failure as it was: what was run, on what, and what was said of it."""

    target: str
    args: tuple[tuple[str, Any], ...]
    rule: str  # the rule that was asked for, or empty
    law: str
    subject: str
    case: Mapping[str, Any]
    message: str

    def to_json(self) -> dict[str, Any]:
        """The failure as plain data."""
        return {
            "target": self.target,
            "args": [list(pair) for pair in self.args],
            "rule": self.rule,
            "law": self.law,
            "subject": self.subject,
            "case": self.case,
            "message": self.message,
        }

    @property
    def id(self) -> str:
        """A short name: equal for equal failures, on any machine."""
        told = {k: v for k, v in self.to_json().items() if k != "message"}
        number = int.from_bytes(hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()[:8], "big")
        letters = ""
        for _ in range(5):
            number, place = divmod(number, len(ALPHABET))
            letters += ALPHABET[place]
        return letters


def save(recorded: Recorded, folder: Path) -> Path:
    """Writes the failure to `folder`, under its id."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{recorded.id}.json"
    path.write_text(json.dumps(recorded.to_json(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def load(name: str, folder: Path) -> Recorded:
    """The failure of an id, or of a file; UsageError where there is none, or where the file holds none."""
    path = Path(name) if name.endswith(".json") else folder / f"{name}.json"
    if not path.is_file():
        known = sorted(p.stem for p in folder.glob("*.json")) if folder.is_dir() else []
        raise UsageError(f"there is no recorded failure {name!r}", where=str(folder), given=name, accepted=known[:20])
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        args = tuple((str(a), b) for a, b in data["args"])
        Case.from_json(data["case"])
        return Recorded(args=args, **{k: data[k] for k in ("target", "rule", "law", "subject", "case", "message")})
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"is no recorded failure: {error}", where=str(path)) from error


def replay(recorded: Recorded) -> tuple[str, str]:
    """("FIXED", "FAILED" or "ERROR", a sentence): what the failure does now, in a process that may come to harm."""
    from verifier.auditing.laws import Laws
    from verifier.subjects.torch_sandbox import Died, half_of_memory, in_child

    def again() -> tuple[str, str]:
        from verifier.auditing.request import Request

        laws = Laws(Request(recorded.target, recorded.rule, recorded.args, profile="ci"))
        if laws.reason:
            return "ERROR", laws.reason
        found = laws.violation(recorded.law, recorded.subject, Case.from_json(recorded.case))
        return ("FIXED", "the law holds now") if found is None else ("FAILED", found.sentence.partition(": ")[2])

    answer = in_child(again, seconds=120, memory=half_of_memory())
    if isinstance(answer, Died):
        return "FAILED", f"it {answer.how}"
    if answer[0] not in ("FIXED", "FAILED", "ERROR"):
        return "ERROR", f"{answer[0]}: {answer[1]}"
    status, text = answer
    return str(status), str(text)
