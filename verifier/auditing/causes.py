"""Which findings are one defect seen several times: those a mistake found elsewhere in the same rows brings about."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from verifier.auditing.needs import explains

if TYPE_CHECKING:
    from verifier.auditing.findings import Finding

FORMULA = frozenset({"step_follows", "as_read", "long_run", "implementations", "implements"})
"""Laws that say, each in its own way, that an implementation computes its update rule."""

PLAIN = frozenset({"step_follows", "implementations", "long_run", "implements"})
"""Laws of the formula that are asked of plain tensors alone."""

RESUMES = frozenset({"resume", "resume_across", "resume_from_copy", "resume_from_file", "resume_from_pickle",
                     "resume_over_others"})  # fmt: skip
"""Laws of runs that go on from a state_dict."""

GRAPHS = ("(graph leaves) support the deepcopy", "a leaf Variable that requires grad")
"""What torch says where a tensor that was made from others under autograd is copied, or a copy of it is changed."""

VALUES = RESUMES | {
    "added_group", "all_parameters", "as_read", "complex_numbers", "groups", "idle_step", "infinity_stays",
    "large_sizes", "late_parameters", "layouts", "maximize", "mixed_dtypes", "nan_stays", "options_read", "order",
    "partition", "schedule", "sizes", "skipped_step", "sparse_gradients", "stays_finite", "tensor_lr",
}  # fmt: skip
"""Laws that compare values: steps that are wrong by themselves may break each of them."""


def law_of(row_id: str) -> str:
    """The law of a row, without the name of the optimizer."""
    return row_id.partition("@")[0].partition(".")[2]


def subject_of(row_id: str) -> str:
    """device-format-implementation"""
    return row_id.partition("@")[2]


def of_layout(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The rows that leave the rule only where tensors lie otherwise in memory: `layouts` is broken there as well.

    Everything about the formula that is asked of plain tensors holds of their subject.
    """
    violated = [row for row in rows if row["verdict"] == "violated"]
    broken: dict[tuple[str, str], set[str]] = {}
    for row in violated:
        key = str(row.get("target")), subject_of(str(row["id"]))
        broken.setdefault(key, set()).add(law_of(str(row["id"])))
    found = set()
    for row in violated:
        laws = broken[str(row.get("target")), subject_of(str(row["id"]))]
        case = row.get("case") or {}
        strided = {case.get("layout", "strided"), case.get("grad_layout", "strided")} != {"contiguous"}
        if law_of(str(row["id"])) == "as_read" and strided and "layouts" in laws and not laws & PLAIN:
            found.add(str(row["id"]))
    return found


def joined(findings: Sequence[Finding], rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """The findings, each with those taken in that show in no other row than it does, and that it may bring about.

    Steps of some implementations or formats that depart from the rule, while others keep it, take in what else is
    wrong with values there; state that loading casts takes in runs that go on from it differently; state that keeps
    its graph takes in what torch raises where it is copied. What raises otherwise, or changes from run to run, is
    never taken in, nor is what is seen without something that the other needs.
    """
    findings = _departures(findings)
    held = {(str(r.get("target")), law_of(str(r["id"]))) for r in rows if r["verdict"] == "held"}
    roots = [f for f in findings if _departs(f, held) or _laws(f) in ({"state_dtypes"}, {"no_graph"})]
    taken: dict[int, list[Finding]] = {}
    for finding in findings:
        for number, root in enumerate(roots):
            if root is not finding and _brings_about(root, finding):
                taken.setdefault(number, []).append(finding)
                break
    gone = {id(finding) for several in taken.values() for finding in several}
    whole = []
    for finding in findings:
        if id(finding) in gone:
            continue
        more = next((taken.get(number, []) for number, root in enumerate(roots) if root is finding), [])
        also = tuple(dict.fromkeys(one.what for one in more))
        ids = tuple(sorted({row for one in (finding, *more) for row in one.rows}))
        whole.append(replace(finding, rows=ids, also=also))
    return whole


def _departures(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, those of an implementation that departs from several rules made one, unless they need other things.

    One is told as that whose mistake is known, or which a rule of the catalogue shows; it needs what all of them do.
    """
    found: list[list[Finding]] = []
    for finding in sorted(findings, key=lambda f: (len(f.needs or ()), -len(f.rows))):
        several = next((s for s in found if _departs_alike(s[0], finding)), None)
        if several is None:
            found.append([finding])
        else:
            several.append(finding)
    return [_told_as_one(several) for several in found]


def _departs_alike(first: Finding, other: Finding) -> bool:
    """Whether both are departures of one implementation from rules, and what the first needs is there in the other."""
    same = (first.target, first.expected_failure is None) == (other.target, other.expected_failure is None)
    steps = all(_laws(f) <= FORMULA and not f.unsteady and not f.what.startswith("raises") for f in (first, other))
    if not same or not steps or not explains(first.needs, other.needs):
        return False
    forms = [{subject.rpartition("-")[2] for subject in _subjects(f)} for f in (first, other)]
    if first.needs is None or other.needs is None:
        return forms[0] == forms[1]
    formats = [{subject.split("-")[1] for subject in _subjects(f)} for f in (first, other)]
    confined = any(set(place.split(" and ")) & formats[0] for place in first.only)
    return forms[0] == forms[1] and (formats[1] <= formats[0] or not confined)


def _told_as_one(several: Sequence[Finding]) -> Finding:
    """Departures as one: told as that whose mistake is known, or which a rule of the catalogue shows."""
    first = min(several, key=lambda f: (not f.equals, _laws(f) == {"implements"}, f.law.endswith(OWN), -_far(f)))
    return replace(
        first,
        rows=tuple(sorted({row for one in several for row in one.rows})),
        only=_where_alone(several),
        formula=first.formula or next((one.formula for one in several if one.formula), ""),
        needs=several[0].needs,
    )


def _where_alone(several: Sequence[Finding]) -> tuple[str, ...]:
    """The implementations and formats that all findings are in, and outside which what some of them show holds."""
    subjects = {subject for one in several for subject in _subjects(one)}
    found = dict.fromkeys(place for one in several for place in one.only)
    return tuple(place for place in found if all(set(s.split("-")) & set(place.split(" and ")) for s in subjects))


OWN = ("as_read", "implementations", "long_run")
"""Laws that hold a step to what was read out of its own code."""


def _far(finding: Finding) -> float:
    """How many ulp its value is away."""
    ulps = finding.seen.get("ulps")
    return float(ulps) if ulps is not None and math.isfinite(float(ulps)) else 0.0


def _brings_about(root: Finding, finding: Finding) -> bool:
    same = (root.target, root.expected_failure is None) == (finding.target, finding.expected_failure is None)
    if not same or finding.unsteady or not _subjects(finding) <= _subjects(root):
        return False
    if _laws(root) == {"no_graph"}:
        return any(words in finding.what for words in GRAPHS)
    if finding.what.startswith("raises") or not explains(root.needs, finding.needs):
        return False
    laws = _laws(finding)
    return laws <= RESUMES if _laws(root) == {"state_dtypes"} else laws <= VALUES


def _departs(finding: Finding, held: set[tuple[str, str]]) -> bool:
    """Whether it is an implementation, in some formats, that leaves a rule which others keep."""
    plain = _laws(finding) & PLAIN
    confined = any((finding.target, law) in held for law in plain)
    return bool(plain) and confined and not finding.unsteady and not finding.what.startswith("raises")


def _laws(finding: Finding) -> set[str]:
    return {law_of(row) for row in finding.rows}


def _subjects(finding: Finding) -> set[str]:
    return {subject_of(row) for row in finding.rows}
