"""What a run would do: the laws of every rule, the subjects they are put to, and what that cost last time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verifier import config, contracts, evidence, families, lineup, render, rules
from verifier.draws import PROFILES
from verifier.errors import UsageError


def collect(device: str, out: Path) -> dict[str, Any]:
    """Laws, subjects, cases a profile and costs, as plain data.

    `laws` has an id, a rule, a sentence and the seconds the last run in `out` spent on it (None where there was none);
    `subjects` maps each rule to the ids of its subjects; `cases` maps each profile to the cases a test draws;
    `published` maps the rules that torch.optim lacks, which audits compare code with, to the number of their laws.
    """
    spent = _spent(out)
    laws, subjects = [], {}
    for name in rules.names():
        rule = rules.get(name)
        says = {law.name: law.says for law in families.laws(rule)} | {
            law.name: law.says for law in contracts.laws(rule)
        }
        for law, sentence in says.items():
            key = f"{name}.{law}"
            laws.append({"id": key, "rule": name, "says": sentence, "seconds": spent.get(key)})
        subjects[name] = [subject.id for subject in lineup.of(rule, device)]
    return {
        "laws": laws,
        "subjects": subjects,
        "cases": dict(PROFILES),
        "published": {name: len(families.laws(rules.get(name))) for name in rules.published()},
        "not_covered": rules.not_covered(),
        "schema": str(config.SCHEMA),
    }


def _spent(out: Path) -> dict[str, float]:
    """Law -> seconds over all subjects, in the last run whose evidence is in `out`."""
    try:
        files = render.newest(out)
    except UsageError:  # nothing has run here yet
        return {}
    seconds: Counter[str] = Counter()
    for record in evidence.read(files[0]):
        if record.get("kind") == "evidence":
            seconds[record["law"]] += record.get("seconds", 0.0)
    return {law: round(spent, 3) for law, spent in seconds.items()}


def audited(
    names: Sequence[str], *, rule: str | None, arguments: Sequence[str], profile: str, device: str, out: Path
) -> dict[str, Any]:
    """What an audit of the targets would run, as plain data: each target's laws, subjects, cases and last cost.

    Each is learnt of in a forked child, as an audit does. UsageError where one cannot be found; one that cannot be
    run has a `reason` and no laws. `seconds` are those of the last audit in `out`, None where there was none.
    """
    from verifier.auditing import targets
    from verifier.auditing.request import Request, argument

    args = tuple(argument(text) for text in arguments)
    named = targets.expand(tuple(names))
    requests = [Request(target, rule or "", args, profile) for target in named.audited]
    spent = _spent_on(out if out.name == "audit" else out / "audit")
    described = [_described(request, spent, request.target in names) for request in requests]
    return {
        "profile": profile,
        "device": device,
        "targets": described,
        "left_out": named.left_out,
        "schema": str(config.SCHEMA),
    }


def _described(request: Any, spent: dict[tuple[str, str], float], by_name: bool) -> dict[str, Any]:
    """One target: its laws with their subjects, or the reason why there are none."""
    from verifier.auditing import asleep, probe
    from verifier.auditing import collect as collecting

    found = probe.probe(request)
    if found.reason or found.signature is None:
        if by_name and not found.wrong:
            raise UsageError(found.reason)
        return {"target": request.target, "reason": found.reason, "rule": None, "rows": 0, "seconds": None, "laws": []}
    by_id: dict[str, dict[str, Any]] = {}
    for made in collecting.modules(request):
        subjects = [subject.id for subject in made.subjects if not subject.untestable]
        for name, test in vars(made).items():
            if not name.startswith("test_"):
                continue
            key = f"{made.rule.name}.{name.removeprefix('test_')}"
            says = " ".join(str(test.__doc__).strip().partition("\n\n")[0].split())
            cases = PROFILES[request.profile] if hasattr(test, "hypothesis") else 1
            seconds = spent.get((request.target, key))
            law = {"id": key, "says": says, "subjects": [], "cases": cases, "seconds": seconds}
            by_id.setdefault(key, law)["subjects"] += subjects  # some laws come again with other subjects
    laws = list(by_id.values())
    known = [law["seconds"] for law in laws if law["seconds"] is not None]
    return {
        "target": request.target,
        "reason": "",
        "rule": found.described.get("rule"),
        "weight_decay": found.described.get("weight_decay"),
        "rows": sum(len(law["subjects"]) for law in laws),
        "seconds": round(sum(known), 3) if known else None,
        "left_out": asleep.left_out(found.signature),
        "laws": laws,
    }


def _spent_on(out: Path) -> dict[tuple[str, str], float]:
    """(target, law) -> seconds over all subjects, in the last audit in `out` that had the target."""
    seconds: dict[tuple[str, str], float] = {}
    for path in sorted((out / "evidence").glob("audit-*.jsonl")):
        of_run: Counter[tuple[str, str]] = Counter()
        for record in evidence.read(path):
            if record.get("kind") == "evidence":
                of_run[str(record.get("target")), str(record["law"])] += record.get("seconds", 0.0)
        again = {target for target, _ in of_run}
        seconds = {key: spent for key, spent in seconds.items() if key[0] not in again} | dict(of_run)
    return {key: round(spent, 3) for key, spent in seconds.items()}


def audited_text(found: dict[str, Any]) -> str:
    """The listing of an audit as text: a block a target, a line a law with its subjects, what is left out and why."""
    lines = []
    for target in found["targets"]:
        lines.append(target["target"])
        if target["reason"]:
            lines += [f"  cannot be run: {target['reason']}", ""]
            continue
        cost = f", {target['seconds']:.1f} s last time" if target["seconds"] is not None else ""
        lines.append(f"  {len(target['laws'])} laws, {target['rows']} rows{cost}")
        width = max(len(law["id"]) for law in target["laws"])
        for law in target["laws"]:
            spent = f"{law['seconds']:8.2f} s  " if law["seconds"] is not None else ""
            lines.append(f"  {law['id']:<{width}}  {len(law['subjects']):3} subjects  {spent}{law['says']}")
        lines += [f"  not asked: {name}: {why}" for name, why in sorted(target["left_out"].items())]
        lines.append("")
    lines += [f"not audited: {name}, {why}" for name, why in sorted(found["left_out"].items())]
    cases = f"cases a law in profile {found['profile']}: {PROFILES[found['profile']]}"
    return "\n".join([*lines, cases, f"options: {found['schema']}"]) + "\n"


def as_json(found: dict[str, Any]) -> str:
    """The listing as indented JSON."""
    return json.dumps(found, indent=2) + "\n"


def as_text(found: dict[str, Any]) -> str:
    """The listing as text: a block a rule, a line a law."""
    lines = []
    for rule, subjects in found["subjects"].items():
        laws = [law for law in found["laws"] if law["rule"] == rule]
        lines.append(f"{rule}: {len(laws)} laws x {len(subjects)} subjects")
        width = max(len(law["id"]) for law in laws)
        for law in laws:
            cost = f"{law['seconds']:8.2f} s  " if law["seconds"] is not None else ""
            lines.append(f"  {law['id']:<{width}}  {cost}{law['says']}")
    lines += [f"{name}: {count} laws, for audits: torch.optim lacks it" for name, count in found["published"].items()]
    lines += [f"{name}: not covered: {reason}" for name, reason in found["not_covered"].items()]
    cases = ", ".join(f"{name} {count}" for name, count in found["cases"].items())
    return "\n".join([*lines, f"cases a test: {cases}", f"options: {found['schema']}"]) + "\n"
