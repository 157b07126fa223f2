"""What one property said of one subject, and JSON lines in and out."""

from __future__ import annotations

import enum
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verifier.errors import UsageError

SCHEMA_VERSION = "1.0"


class Verdict(enum.Enum):
    """The outcome of one check of one subject; `sentence` is what people read."""

    HELD = "held"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    UNTESTABLE = "untestable"
    BROKEN = "broken"

    @property
    def sentence(self) -> str:
        return {
            "held": "held on every case",
            "violated": "a case broke the law",
            "inconclusive": "the check cannot tell this rule from its mistakes here",
            "untestable": "could not be run here",
            "broken": "the check itself failed",
        }[self.value]


class Strength(enum.Enum):
    """How strong a claim the evidence supports, strongest first; never mixed up in a report."""

    PROVED = "proved"
    FAITHFUL = "faithful"
    ENCLOSED = "enclosed"
    HELD = "held"

    @property
    def sentence(self) -> str:
        return {
            "proved": "for all real values, by algebra",
            "faithful": "every operation the code ran was a correct rounding",
            "enclosed": "each observed step lies in an enclosure derived from the rule",
            "held": "on every generated case",
        }[self.value]


@dataclass(frozen=True)
class Evidence:
    """One row: one law, one subject, what was seen. Ids never hold a repr or an address.

    `margin` is the largest share of its enclosure any element used (1 = the edge). `elements` counts the
    element-checks made, `vacuous` those whose enclosure was unbounded, which show nothing. `seconds` is wall time.
    """

    law: str  # adamw.zero_gradient
    subject: str  # cpu-float32-foreach
    verdict: Verdict
    strength: Strength
    target: str = ""
    reason: str = ""  # why untestable, inconclusive or broken
    expected_failure: str | None = None  # the reason listed in expected.toml
    cases: int = 0
    elements: int = 0
    vacuous: int = 0
    margin: float | None = None
    observed: str = ""
    expected: str = ""
    ulps: float | None = None
    step: int | None = None
    tensor: int | None = None  # which parameter, in the case's order
    element: int | None = None  # flat index within that parameter
    equals: str = ""  # the mutant that would have produced `observed`
    case: Mapping[str, Any] | None = None
    message: str = ""
    discriminates: tuple[str, ...] = ()  # mutants these very cases would have rejected
    options: Mapping[str, int] = field(default_factory=dict)  # option drawn away from its default -> cases
    repro: str = ""
    replay: str = ""
    seconds: float = 0.0

    @property
    def id(self) -> str:
        return f"{self.law}@{self.subject}"

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        data.update(id=self.id, verdict=self.verdict.value, strength=self.strength.value)
        data["discriminates"] = list(self.discriminates)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evidence:
        known = {k: v for k, v in data.items() if k in cls.__dataclass_fields__}
        known["verdict"] = Verdict(data["verdict"])
        known["strength"] = Strength(data["strength"])
        known["discriminates"] = tuple(data.get("discriminates", ()))
        return cls(**known)


def printable(told: Any) -> Any:
    """A record whose strings any terminal and file can take: what a target says may be no text at all.

    Surrogates and control characters, but line feeds and tabs, are written as escapes.
    """
    if isinstance(told, str):
        return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "backslashreplace").decode(), told)
    if isinstance(told, Mapping):
        return {printable(key): printable(value) for key, value in told.items()}
    if isinstance(told, list | tuple):
        return [printable(value) for value in told]
    return told


_UNPRINTABLE = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Adds one JSON line to `path`, flushed to the operating system: a killed process loses no finished row."""
    append_all(path, (record,))


def append_all(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Adds JSON lines to `path` in one write, so that two processes that append do not mix their lines."""
    lines = "".join(json.dumps(printable(record), sort_keys=True, allow_nan=True) + "\n" for record in records)
    with path.open("ab", buffering=0) as file:
        file.write(lines.encode("utf-8"))


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The records of an evidence file; a last line cut short by a kill is left out, any other bad line is an error."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):  # no newline after it: the write was interrupted
                return
            raise ValueError(f"{path}, line {number}: not JSON ({error.msg})") from error
        if not isinstance(record, dict):
            raise ValueError(f"{path}, line {number}: a record is a JSON object, not {type(record).__name__}")
        yield record


def summary(rows: Iterable[Evidence]) -> dict[str, int]:
    """Counts by verdict; a violation that is listed with its reason counts as `expected`, not as `violated`."""
    counts = {v.value: 0 for v in Verdict} | {"expected": 0}
    for row in rows:
        listed = row.verdict is Verdict.VIOLATED and row.expected_failure is not None
        counts["expected" if listed else row.verdict.value] += 1
    return counts


def run_name(kind: str) -> str:
    """A name for a run that begins now; names sort by time within a kind."""
    return f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S}"


def writable(folder: Path) -> Path:
    """`folder`, made if need be, after a file was written there; UsageError says why it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UsageError(f"the reports folder cannot be written to: {error.strerror}", where=str(folder)) from error
