"""Findings once they are explained: those that show the same made one, and the one that explains best put first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from verifier.auditing.causes import FORMULA, law_of, subject_of
from verifier.auditing.findings import Finding
from verifier.auditing.needs import IN_A_GROUP

FIRST = ("runs", "determinism", "written_memory", "neighbours", "accepted_options")
"""Laws without which others say little: what is random, or raises, shows in many ways."""

LAST = (
    "added_group", "resume_from_file", "resume_from_pickle", "resume_from_copy", "resume_over_others", "resume_across",
    "large_sizes", "partition", "idle_step", "options_read", "scheduled_lr", "life",
)  # fmt: skip
"""Laws that are broken with plainer ones, which then say more."""

ABOUT = {
    "maximize": "maximize = True",
    "groups": " groups",  # 2 groups, or 2 groups that differ in lr
    "schedule": "changed between steps",
    "scheduled_lr": "changed between steps",
    "absent_gradients": "without a gradient",
    "layouts": "in memory",
    "resume": "resume",  # an event of a life
    "state_dtypes": "resume",
}
"""Laws about a setting: a violation of another law that needs the setting is most likely theirs."""


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, those that explain best first; what shows a finding once more is counted with it, and named."""
    whole: list[Finding] = []
    for finding in sorted(findings, key=_rank):
        number = next((k for k, other in enumerate(whole) if _same(other, finding)), None)
        if number is None:
            whole.append(finding)
            continue
        first = whole[number]
        also = tuple(dict.fromkeys(w for w in (*first.also, finding.what, *finding.also) if w != first.what))
        rows = tuple(sorted({*first.rows, *finding.rows}))
        formula, equals = first.formula or finding.formula, first.equals or finding.equals
        whole[number] = replace(first, rows=rows, also=also, formula=formula, equals=equals)
    return sorted(whole, key=_told)


def _told(finding: Finding) -> tuple[bool, bool, bool]:
    """What is told first: what others follow from, then mistakes that are known by name."""
    law = law_of(finding.law)
    named = law in FORMULA and bool(finding.equals or finding.formula.startswith("the code is "))
    return finding.expected_failure is not None, not law.startswith(FIRST), not named


def _rank(finding: Finding) -> tuple[bool, int, int, str]:
    law = law_of(finding.law)
    if law.startswith(FIRST):
        rank = 0
    elif law in LAST:
        rank = 3
    else:
        rank = 2 if law in FORMULA else 1
    return finding.expected_failure is not None, rank, -len(finding.rows), finding.law


def _same(first: Finding, other: Finding) -> bool:
    """Whether `other` shows what `first` does: the same numbers, or only with the setting that `first` is about."""
    alike = (first.target, first.expected_failure is None) == (other.target, other.expected_failure is None)
    if not alike or first.unsteady or other.unsteady:
        return False
    if _same_elsewhere(first, other) or _missed(first, other) or _idle(first, other):
        return True
    if other.what.startswith("raises"):
        return False
    if _source(first) & _source(other) or (_source(first) and _overridden(first, other)):
        return True
    if first.seen.get("expected") and first.seen.get("ulps") is not None and _numbers(first) == _numbers(other):
        return True
    needed = ABOUT.get(law_of(first.law), "")
    return bool(needed) and any(needed in text for text in other.matters) and _forms(other) <= _forms(first)


def _same_elsewhere(first: Finding, other: Finding) -> bool:
    """Whether one law says the same of other forms or formats: another error, or another rounding, of one mistake.

    Of an option that makes the step raise, whatever its values raise is one mistake.
    """
    one, two = law_of(first.law), law_of(other.law)
    raises = [finding.what.startswith("raises") for finding in (first, other)]
    if one.startswith("accepted_options") and two.startswith("accepted_options"):
        return all(raises) and _options(first) == _options(other)
    subjects = [{subject_of(row) for row in finding.rows} for finding in (first, other)]
    if one != two or first.matters != other.matters or subjects[0] & subjects[1]:
        return False
    place = _place(first)
    return all(raises) or (first.what == other.what and place is not None and place == _place(other))


MISSED = frozenset({"late_parameters", "absent_gradients", "idle_step"})
"""Laws about gradients that are not there: a count or a state that is not each parameter's own breaks several."""


def _missed(first: Finding, other: Finding) -> bool:
    """Whether both are of state that goes on, or does not, where gradients are missing.

    What is seen in the first step, before there is any state, is not: that is of the parameters that are stepped.
    """
    alike = {law_of(first.law), law_of(other.law)} <= MISSED and first.matters == other.matters
    subjects = [{subject_of(row) for row in finding.rows} for finding in (first, other)]
    at_once = any(f.law.endswith("absent_gradients") and f.seen.get("step") == 1 for f in (first, other))
    return alike and subjects[1] <= subjects[0] and not at_once


def _idle(first: Finding, other: Finding) -> bool:
    """Whether `other` shows an option that, by `first`, changes nothing.

    That is a step that is not the rule's with a switch turned, or by a mistake that has to do with a rate; or a group
    that has the option of its own.
    """
    law = law_of(first.law)
    if law not in ("acting_switches", "acting_rates"):
        return False
    turned = {text.removesuffix(" (the law's choice)") for text in first.matters if text.endswith(" choice)")}
    names = {text.partition(" = ")[0] for text in turned} & set(re.findall(r"\w+", first.seen.get("what") or ""))
    if law_of(other.law) == "groups":
        return bool(names) and _source(other) <= names
    if law_of(other.law) == "added_group":  # which says less of what it takes
        return bool(names & _source(other))
    if law_of(other.law) not in FORMULA:
        return False
    said = set(re.findall(r"\w+", f"{other.equals} {other.formula}"))
    return bool(turned & {*other.matters}) or (law == "acting_rates" and bool(names & said))


def _source(finding: Finding) -> set[str]:
    """The options that a finding says are read from elsewhere than the group, at the step.

    Of a group that acts on another, of a change that does not act or after which steps are no longer the rule's, of a
    state_dict that does not override.
    """
    law = law_of(finding.law)
    if law in ("groups", "added_group"):
        told = next((text for text in finding.matters if "groups that differ in" in text), "")
        given = next((text.removeprefix(IN_A_GROUP) for text in finding.matters if text.startswith(IN_A_GROUP)), "")
        return {*told.partition("differ in ")[2].split(", "), *given.split(", ")} - {""}
    if law in ("schedule", "scheduled_lr", "options_read") or law in FORMULA:
        told = next((text for text in finding.matters if text.endswith(" changed between steps")), "")
        return set(told.removesuffix(" changed between steps").split(", ")) - {""}
    return _options(finding) if law == "resume_over_others" else set()


def _overridden(first: Finding, other: Finding) -> bool:
    """Whether a loaded state_dict fails to override an option in `other`: nothing says which, or `first` may be it.

    It may where groups need the same settings besides, and some.
    """
    if {law_of(row) for row in other.rows} != {"resume_over_others"}:
        return False
    settings = {need for need in first.needs or () if need != "groups"}
    return not other.matters or (bool(settings) and settings <= set(other.needs or ()))


def _options(finding: Finding) -> set[str]:
    """The names of the options that matter."""
    return {words.partition(" ")[0] for words in finding.matters}


def _place(finding: Finding) -> Sequence[object] | None:
    """Where it was seen, and by which share of what is expected it is off, to two digits; None where none is told."""
    numbers = [
        re.search(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?", str(finding.seen.get(name) or ""))
        for name in ("observed", "expected")
    ]
    if not all(numbers):
        return None
    observed, expected = (float(number[0]) for number in numbers if number)
    share = f"{(observed - expected) / expected:.2g}" if expected else f"{observed:.2g}"
    return [*(finding.seen.get(name) for name in ("step", "tensor", "element")), share]


def _numbers(finding: Finding) -> Sequence[object]:
    return [finding.seen.get(name) for name in ("observed", "expected", "ulps")]


def _forms(finding: Finding) -> set[str]:
    """The implementations it shows in."""
    return {subject_of(row).rpartition("-")[2] for row in finding.rows}
