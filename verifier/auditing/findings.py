"""Findings: equal violations made one, with a count."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from verifier.auditing import causes, dying


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one target, however many rows show it.

    `what` says it in words; `rows` are the evidence ids that show it, `law`, `subject`, `case` and `message` those of
    the smallest, `seen` what was seen there: step, tensor, element, observed, expected, ulps. `matters` are the
    settings without which it is gone, `settings` all there are; `only` the implementations and formats it is confined
    to, among those that were tried. `also`: what else went wrong in these rows alone, which it may have brought about.
    `formula`: what a proof found the code's formula to differ by from the rule's. `needs`: see `needs.needed`; None
    where that is not known. `untried`: scripts that may show it, while none of them was run.
    """

    target: str
    what: str
    law: str
    subject: str
    message: str
    rows: tuple[str, ...]
    case: Mapping[str, Any] | None = None
    equals: str = ""
    expected_failure: str | None = None
    seen: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    matters: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    repro: str = ""
    replay: str = ""
    no_script: str = ""
    unsteady: bool = False
    also: tuple[str, ...] = ()
    formula: str = ""
    needs: tuple[str, ...] | None = None
    untried: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """What `audit_explain` is told."""
        known = {"law": self.law, "subject": self.subject, "case": self.case, "equals": self.equals}
        return {"target": self.target, "ended": self.what == dying.ENDS, **known}

    def with_(self, known: Mapping[str, Any]) -> Finding:
        """The finding with what was learnt of it."""
        return replace(
            self,
            message=known.get("message") or self.message,
            seen=known.get("seen", self.seen),
            equals=known.get("equals", self.equals),
            settings=tuple(known.get("settings", ())),
            matters=tuple(known.get("matters", ())),
            replay=known.get("replay", ""),
            no_script=known.get("no_script", ""),
            unsteady=bool(known.get("unsteady", self.unsteady)),
            untried=known.get("untried"),
            needs=tuple(known["needs"]) if known.get("needs") is not None else None,
        )


def collect(rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """The findings among the violated rows: equal ones are one, the smallest case first; so is what one defect does."""
    every = list(rows)
    return causes.joined(deaths(gathered(every)), every)


def gathered(rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Equal violations made one, the smallest case first; one defect may be several of these."""
    found: dict[tuple[str, str, bool], list[Mapping[str, Any]]] = {}
    every = list(rows)
    of_layout = causes.of_layout(every)
    for row in every:
        if row["verdict"] == "violated":
            listed = row.get("expected_failure") is not None
            alike = LAYOUT if str(row["id"]) in of_layout else _alike(row)
            found.setdefault((str(row.get("target")), alike, listed), []).append(row)
    return [_finding(target, together, every) for (target, _, _), together in found.items()]


LAYOUT = "depends on the memory layout"
"""What a violation of `layouts` is called, without which layout."""


def _alike(row: Mapping[str, Any]) -> str:
    """What rows of one finding have in common: what went wrong, or which implementation departs from which rule."""
    if row.get("crashed"):  # which laws are broken by one end is known once each was looked into: see `deaths`
        return f"{what(row)} in {row['law']}"
    if not _departs(row):
        return what(row)
    refuted = re.search(r"does not perform the rule (\w+)", str(row.get("message")))
    rule = refuted[1] if refuted else str(row["law"]).partition(".")[0]
    return f"departs in {str(row['subject']).split('-')[-1]} from {rule}"


def _departs(row: Mapping[str, Any]) -> bool:
    return str(row["law"]).partition(".")[2] in causes.FORMULA and not what(row).startswith("raises")


def _size_of_error(row: Mapping[str, Any]) -> float:
    """How many ulp a value is away; of a law about the formula, the farthest says most."""
    ulps = row.get("ulps")
    return float(ulps) if ulps is not None and math.isfinite(float(ulps)) else 0.0


UNSTEADY = "gives another result when it is run again on the same case"


def folded(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, those of a target that change from run to run made one: each is an accident of what is one defect.

    The one keeps the script of whichever has one.
    """
    steady: list[Finding] = []
    changing: dict[tuple[str, bool], list[Finding]] = {}
    for finding in findings:
        if finding.unsteady:
            changing.setdefault((finding.target, finding.expected_failure is not None), []).append(finding)
        else:
            steady.append(finding)
    for several in changing.values():
        first = min(several, key=lambda f: (not f.repro, not f.replay, f.what))
        rows = tuple(sorted({row for f in several for row in f.rows}))
        steady.append(replace(first, what=UNSTEADY, rows=rows))
    return steady


def deaths(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, those of a target whose process ended in one way made one; so is one of which nothing is known.

    The way is the signal or the exit code, which is told once the finding was explained.
    """
    found: list[Finding] = []
    for finding in sorted(findings, key=lambda f: f.what == dying.ENDS and 1 + (not f.replay)):
        place = next((k for k, one in enumerate(found) if _ended_alike(one, finding)), None)
        if place is None:
            found.append(finding)
        else:
            rows = tuple(sorted({*found[place].rows, *finding.rows}))
            found[place] = replace(found[place], rows=rows)
    return found


def _ended_alike(one: Finding, other: Finding) -> bool:
    ended = one.what == other.what == dying.ENDS
    listed = [f.expected_failure is not None for f in (one, other)]
    same = not other.replay or one.seen.get("observed") == other.seen.get("observed")
    return ended and one.target == other.target and listed[0] == listed[1] and same


def _finding(target: str, rows: Sequence[Mapping[str, Any]], every: Sequence[Mapping[str, Any]]) -> Finding:
    plainest = [(-_size_of_error(row), _plainness(row), _size(row), str(row["id"])) for row in rows]
    if not all(_departs(row) for row in rows):
        plainest = [(float(_departs(row)), *key[1:]) for key, row in zip(plainest, rows, strict=True)]
    first = rows[plainest.index(min(plainest))]
    return Finding(
        target=target,
        what=what(first),
        law=str(first["law"]),
        subject=str(first["subject"]),
        message=str(first.get("message") or first.get("reason")),
        rows=tuple(sorted(str(row["id"]) for row in rows)),
        case=first.get("case"),
        equals=next((str(row["equals"]) for row in rows if row.get("equals")), ""),
        expected_failure=first.get("expected_failure"),
        seen={name: first.get(name) for name in SEEN},
        only=_confined(target, rows, every),
        formula=next((str(row["observed"]) for row in rows if causes.law_of(str(row["id"])) == "implements"), ""),
        unsteady=all(_unsteady(row) for row in rows),
    )


def _unsteady(row: Mapping[str, Any]) -> bool:
    """Whether a row says that the same case gave two results; one that raised says that it raised."""
    message = str(row.get("message"))
    twice = str(row["law"]).endswith(".determinism") and "raised instead of stepping" not in message
    twice = twice and not row.get("crashed")
    return FLAKY in message or twice


FLAKY = "differs from run to run on the same case: "
"""What the plugin puts before the message of a row whose failing case passed when it was run again."""


def what(row: Mapping[str, Any]) -> str:
    """What went wrong, without where and with which numbers: the same for equal failures."""
    if row.get("crashed"):
        return dying.ENDS
    message = str(row.get("message") or row.get("reason") or "")
    message = message.removeprefix(FLAKY)
    text = message.split(": ", 1)[1] if re.match(r"\S+ on \S+: ", message) else message
    if text.startswith("raised instead of stepping"):
        raised = re.search(r"observed (.*), but should be", text, re.DOTALL)
        return f"raises {re.sub(r'[0-9]+', 'N', raised[1] if raised else '')[:200]}"
    text = re.split(r" at (?:step|tensor) |: observed ", text)[0]
    text = re.sub(r" \([^()]*\)", "", text)
    text = re.sub(r"^(\w+) left its enclosure$", r"\1 is not what the update rule makes it", text)
    return re.sub(r"\d+", "N", text)


SEEN = ("what", "step", "tensor", "element", "observed", "expected", "ulps")
"""What a row tells of the place and the values of a violation."""


def _confined(target: str, rows: Sequence[Mapping[str, Any]], every: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The implementations, and the formats, outside which the same laws were asked and hold: () where there is none."""
    laws = {row["law"] for row in rows}
    held = [r for r in every if r["law"] in laws and r.get("target") == target and r["verdict"] == "held"]
    found = []
    for part in (2, 1):  # of device-format-implementation
        wrong, right = ({(str(r["subject"]).split("-") + ["", "", ""])[part] for r in some} for some in (rows, held))
        if right - wrong and not right & wrong:
            found.append(" and ".join(sorted(wrong)))
    return tuple(found)


def _plainness(row: Mapping[str, Any]) -> tuple[int, int]:
    """How far a row's subject is from what most people run: the for-loop in float32."""
    _, _, rest = str(row["subject"]).partition("-")
    dtype, _, implementation = rest.partition("-")
    dtypes, implementations = ("float32", "float64", "bfloat16"), ("forloop", "foreach", "fused")
    one = implementations.index(implementation) if implementation in implementations else len(implementations)
    return one, dtypes.index(dtype) if dtype in dtypes else len(dtypes)


def _size(row: Mapping[str, Any]) -> int:
    case = row.get("case")
    return len(case["theta"]) * (1 + len(case["grads"])) if isinstance(case, dict) else 1 << 30
