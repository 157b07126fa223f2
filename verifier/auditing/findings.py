"""Findings: equal violations made one, with a count; and the report a person reads first."""

from __future__ import annotations

import math
import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from verifier.auditing import causes

WIDTH = max(40, min(100, shutil.get_terminal_size((100, 24)).columns))
"""Columns of the report: the terminal's, 100 at most, and in a pipe."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one target, however many rows show it.

    `what` says it in words; `rows` are the evidence ids that show it, `law`, `subject`, `case` and `message` those of
    the smallest, `seen` what was seen there: step, tensor, element, observed, expected, ulps. `matters` are the
    settings without which it is gone, `settings` all there are; `only` the implementations and formats it is confined
    to, among those that were tried. `also`: what else went wrong in these rows alone, which it may have brought about.
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

    def to_json(self) -> dict[str, Any]:
        """What `audit_explain` is told."""
        return {"target": self.target, "law": self.law, "subject": self.subject, "case": self.case}

    def with_(self, known: Mapping[str, Any]) -> Finding:
        """The finding with what was learnt of it."""
        return replace(
            self,
            message=known.get("message", self.message),
            seen=known.get("seen", self.seen),
            settings=tuple(known.get("settings", ())),
            matters=tuple(known.get("matters", ())),
            repro=known.get("repro", ""),
            replay=known.get("replay", ""),
            no_script=known.get("no_script", ""),
            unsteady=bool(known.get("unsteady", self.unsteady)),
        )


def collect(rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """The findings among the violated rows: equal ones are one, the smallest case first; so is what one defect does."""
    found: dict[tuple[str, str, bool], list[Mapping[str, Any]]] = {}
    every = list(rows)
    of_layout = causes.of_layout(every)
    for row in every:
        if row["verdict"] == "violated":
            listed = row.get("expected_failure") is not None
            alike = LAYOUT if str(row["id"]) in of_layout else _alike(row)
            found.setdefault((str(row.get("target")), alike, listed), []).append(row)
    return causes.joined([_finding(target, together, every) for (target, _, _), together in found.items()], every)


LAYOUT = "depends on the memory layout"
"""What a violation of `layouts` is called, without which layout."""


FORMULA = frozenset({"step_follows", "as_read", "long_run", "implementations", "implements"})
"""Laws that say, each in its own way, that an implementation computes its update rule."""


def _alike(row: Mapping[str, Any]) -> str:
    """What rows of one finding have in common: what went wrong, or which implementation departs from its rule."""
    return f"departs in {str(row['subject']).split('-')[-1]}" if _departs(row) else what(row)


def _departs(row: Mapping[str, Any]) -> bool:
    return str(row["law"]).partition(".")[2] in FORMULA and not what(row).startswith("raises")


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
        unsteady=all(FLAKY in str(row.get("message")) or str(row["law"]).endswith(".determinism") for row in rows),
    )


FLAKY = "differs from run to run on the same case: "
"""What the plugin puts before the message of a row whose failing case passed when it was run again."""


def what(row: Mapping[str, Any]) -> str:
    """What went wrong, without where and with which numbers: the same for equal failures."""
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


def text(report: Any) -> str:
    """The report: what each target is, what is wrong with it, what is worth knowing, and the last line."""
    lines: list[str] = []
    described = {str(t["target"]): t for t in report.targets}
    for target in sorted({str(r.get("target")) for r in report.rows} | set(described)):
        rows = [r for r in report.rows if r.get("target") == target]
        lines += _head(target, described.get(target), rows)
        for number, finding in enumerate([f for f in report.findings if f.target == target], 1):
            lines += ["", *_shown(number, finding)]
        lines += _worth_knowing(described.get(target))
        lines.append("")
    for name, why in sorted(report.left_out.items()):
        lines.append(f"not audited: {name}, {why}")
    return "\n".join([*lines, report.last_line])


def _head(target: str, described: Mapping[str, Any] | None, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The first lines: what the optimizer is."""
    counts = Counter("expected" if r.get("expected_failure") else str(r["verdict"]) for r in rows)
    tally = ", ".join(f"{n} {word}" for word, n in counts.most_common())
    lines = [target, f"    rows            {len(rows)}: {tally}"]
    if described is None or "lift" not in described:
        return [*lines, *(f"    untestable      {r['reason']}" for r in rows if r["verdict"] == "untestable")][:4]
    lift = described.get("lift") or {}
    formula = str(lift.get("formula") or f"not read: {lift.get('stopped_by')}")
    lines += textwrap.wrap(formula, WIDTH, initial_indent="    formula         ", subsequent_indent=" " * 20)
    lines.append(f"    weight decay    {described.get('weight_decay')}")
    proof = described.get("proof") or {}
    if described.get("rule_source") == "matched":
        where = f", where {' and '.join(proof['where'])}" if proof.get("where") else ""
        where += ", of vectors alone" if described.get("of_vectors") else ""
        words = f"{described['rule']}: proved, for every number of steps{where}"
        lines += textwrap.wrap(words, WIDTH, initial_indent="    rule            ", subsequent_indent=" " * 20)
    elif described.get("rule_source") == "declared":
        lines.append(f"    rule            {described['rule']}, as declared")
    elif proof.get("rule"):
        words = f"none known; nearest {proof['rule']}"
        words += f", which {_as_mutant(proof)}" if proof.get("mutant") else ""
        words += f": the code's {proof.get('variable') or 'theta'} differs by {proof.get('difference')}"
        lines += textwrap.wrap(words, WIDTH, initial_indent="    rule            ", subsequent_indent=" " * 20)
    return lines


def _as_mutant(proof: Mapping[str, Any]) -> str:
    return f"with the known mistake {str(proof['mutant']).partition('__')[2]} it equals"


def _shown(number: int, finding: Finding) -> list[str]:
    """One finding, on one screen."""
    known = f" (listed: {finding.expected_failure})" if finding.expected_failure else ""
    lines = [f"  {number}. {_title(finding)}{known}"]
    own = finding.law.partition(".")[2]
    rows = ["determinism"] if finding.unsteady else sorted(_laws(finding.rows), key=lambda law: law != own)
    promises = {name: says for name, says in _promises(rows).items() if says}
    for says in promises.values():
        lines += _field("promised", says)
    seen = finding.seen
    place = [f"step {seen['step']}"] if seen.get("step") is not None else []
    place += [f"parameter {seen['tensor']}"] if seen.get("tensor") is not None else []
    place += [f"element {seen['element']}"] if seen.get("element") is not None else []
    lines += _field("seen on", ": ".join([finding.subject, *([", ".join(place)] if place else [])]))
    if seen.get("observed") or seen.get("expected"):
        far = f", {_far(seen['ulps'])} away" if seen.get("ulps") is not None else ""
        lines += _field("observed", str(seen.get("observed")))
        lines += _field("expected", f"{seen.get('expected')}{far}")
    else:
        lines += _field("message", finding.message)
    if finding.also:
        lines += _field("also", f"in no other rows: {'; '.join(finding.also)}")
    if finding.equals:
        lines += _field("equals", f"the known mistake {finding.equals}")
    if finding.only:
        lines += _field("only", f"in {', '.join(finding.only)}; the others that were tried keep the promise")
    if finding.replay:
        lines += _field("matters", _what_matters(finding))
    lines += _field("rows", f"{len(finding.rows)}: {_subjects(finding.rows)}; {', '.join(_laws(finding.rows))}")
    if finding.repro:
        lines.append(f"     script    {finding.repro} (it was run: it exits 1)")
    elif finding.no_script:
        lines += _field("script", f"none: {finding.no_script}")
    if finding.replay:
        lines.append(f"     again     verifier replay {finding.replay}")
    return lines


def _title(finding: Finding) -> str:
    """What is wrong, in the words and numbers of the smallest case."""
    said = str(finding.seen.get("what") or finding.what)
    if finding.unsteady or finding.what.startswith("raises") or " left its enclosure" in said:
        return finding.what
    return said


def _field(name: str, words: str) -> list[str]:
    return textwrap.wrap(words, WIDTH, initial_indent=f"     {name:<9} ", subsequent_indent=" " * 15)


def _laws(rows: Sequence[str]) -> list[str]:
    return sorted({row.partition("@")[0].partition(".")[2] for row in rows})


def _promises(laws: Sequence[str]) -> dict[str, str]:
    """What the broken contracts say, by name; a rule's own law is told in one sentence."""
    from verifier.contract_table import CONTRACTS

    said = {row.name: row.says for row in CONTRACTS}
    said["step_follows"] = "Every step is the update rule's, up to rounding."
    said["long_run"] = "A long run stays with the rule read out of the code."
    said["as_read"] = "Every step is that of the rule read out of the code, in every format, size and layout."
    said["accepted_options"] = "What the constructor accepts as an option, steps can be taken with."
    said["implements"] = "The code performs the update rule."
    return {name: said.get(name, "") for name in laws[:3]}


def _far(ulps: Any) -> str:
    """A distance in words: units in the last place, or, where it is more than anything rounding does, that it is."""
    number = float(ulps)
    if number != number or number == float("inf"):
        return "infinitely far"
    return f"{number:,.0f} ulp" if number < 1e6 else f"{number:.1e} ulp"


def _what_matters(finding: Finding) -> str:
    names = {text.partition(" ")[0] for text in finding.matters}
    others = [name for name in finding.settings if name not in names]
    told = ", ".join(finding.matters) or "no setting away from its default"
    return f"{told}. Not: {', '.join(others)}" if others else told


def _subjects(rows: Sequence[str]) -> str:
    names = sorted({row.partition("@")[2] for row in rows})
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _worth_knowing(described: Mapping[str, Any] | None) -> list[str]:
    """Conventions and notes, which are not bugs."""
    lines: list[str] = []
    for kind, title in (("convention", "conventions, not bugs"), ("note", "notes, harmless by themselves")):
        said = [str(words) for k, words in (described or {}).get("notes", ()) if k == kind]
        if said:
            lines += ["", f"  {title}"]
            for words in said:
                lines += textwrap.wrap(words, WIDTH, initial_indent="   - ", subsequent_indent="     ")
    return lines
