"""What is known of torch's code itself: the rule read out of it and proved, and its roundings, as evidence rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from verifier import proofs, rules
from verifier.equality.normal import Status
from verifier.errors import UsageError
from verifier.evidence import Evidence, Strength, Verdict
from verifier.floats import FORMATS
from verifier.lift import faithful, induction, matching, paths
from verifier.lift.induction import LiftProof
from verifier.lift.lifted import Lift, lift
from verifier.rule import Rule, maximized
from verifier.subjects.torch import DTYPES, optimizer_class

IMPLEMENTATIONS = ("forloop", "foreach")
"""Those made of aten operations; a fused kernel is opaque and gets enclosed instead."""

STEPS = {"smoke": 3, "ci": 20, "nightly": 200}
"""Steps in which every operation's rounding is looked at."""

OPTIONS: dict[str, dict[str, Any]] = {
    "maximize": {"maximize": True},
    "differentiable": {"differentiable": True},
    "capturable": {"capturable": True},
    "a tensor for lr": {"tensor": ["lr"]},
}
"""Options with lines of code of their own."""

GENERIC = 0.9  # any number but 0 makes momentum a symbol

VERDICTS = {Status.PROVED: Verdict.HELD, Status.REFUTED: Verdict.VIOLATED, Status.UNDECIDED: Verdict.INCONCLUSIVE}

GRAVITY = (Status.PROVED, Status.UNDECIDED, Status.REFUTED)


def of_rule_and_code(name: str, profile: str = "ci", seed: int = 0) -> list[dict[str, Any]]:
    """Everything that is known of the rule `name` and of the code that claims it before any property is run."""
    return [*proofs.records(name), *records(name, profile, seed)]


def records(name: str, profile: str = "ci", seed: int = 0) -> list[dict[str, Any]]:
    """Records of the code that claims the rule `name`, for-loop and foreach.

    Per implementation a target and the rows

    - `code`: the code is the rule, by induction, for all values, whatever the rate of each step;
    - `code_groups`: so it is for a group with options of its own;
    - `code_options`: so it is with each option that changes the lines run and not the rule (`OPTIONS`);
    - `code_paths`: penalty, weight_decay and groups are one function, or provably are not where decay is decoupled;

    and per implementation and format a row `code_roundings` (every operation returned a correct rounding). The smoke
    profile looks at float32, and at groups and paths of the for-loop; it leaves the options out.
    """
    rule = rules.get(name)
    target, options = optimizer_class(name)
    chosen: dict[str, Any] = {**options, "momentum": GENERIC} if rule_has_momentum(rule) else dict(options)
    chosen["symbolic"] = sorted({s.name for s in rule.hyper} - {"weight_decay"})  # also those that are 0 by default
    found: list[dict[str, Any]] = []
    for implementation in IMPLEMENTATIONS:
        read = lift(target, implementation, **chosen)
        proof = induction.prove(read, rule, mutants=matching.mutants_of(rule))
        rows = [_code(name, read, proof), *_roundings(name, read, chosen, profile, seed)]
        if profile != "smoke" or implementation == IMPLEMENTATIONS[0]:
            rows += [_groups(rule, read, chosen), *_paths(name, read, chosen)]
        if profile != "smoke":
            rows.append(_options(rule, read, chosen))
        found += [{"kind": "evidence", **row.to_json()} for row in rows]
        if implementation == IMPLEMENTATIONS[0]:
            entry = {**read.to_json(), "rule": name, "rule_source": "declared", "proof": proof.to_json()}
            found.append({"kind": "target", **entry})
    return found


def rule_has_momentum(rule: Rule) -> bool:
    """Whether the rule is one that torch's code follows only with momentum switched on."""
    return any(symbol.name == "momentum" for symbol in rule.hyper)


def _code(name: str, read: Lift, proof: LiftProof) -> Evidence:
    """The row that says whether the code is the rule."""
    return _proved(f"{name}.code", read, proof, proof.status, proof.seconds + read.seconds)


def _groups(rule: Rule, read: Lift, chosen: dict[str, Any]) -> Evidence:
    """The row that says whether a group with options of its own follows the rule by these."""
    grouped = paths.lift_group(read.target, read.implementation, **chosen)
    proof = induction.prove(grouped, rule)
    return _proved(f"{rule.name}.code_groups", grouped, proof, proof.status, proof.seconds + grouped.seconds)


def _options(rule: Rule, read: Lift, chosen: dict[str, Any]) -> Evidence:
    """The row of the worst of the options' proofs; combinations that torch refuses are named in its reason."""
    started = time.perf_counter()
    found: list[tuple[LiftProof, str]] = []
    refused = []
    for option, how in OPTIONS.items():
        try:
            lifted = lift(read.target, read.implementation, **chosen, **how)
        except UsageError:  # the class has no such option
            continue
        if lifted.status == "opaque" and str(lifted.stopped_by).startswith(("step:", "constructor:")):
            refused.append(f"{option} ({lifted.stopped_by})")
            continue
        found.append((induction.prove(lifted, maximized(rule) if option == "maximize" else rule), option))
    worst, option = max(found, key=lambda one: GRAVITY.index(one[0].status))
    row = _proved(f"{rule.name}.code_options", read, worst, worst.status, time.perf_counter() - started)
    if worst.proved:
        conditions = dict.fromkeys(_where(proof) for proof, _ in found)
        said = [*filter(None, conditions), *([f"torch refuses {', '.join(refused)}"] if refused else [])]
        return replace(row, cases=len(found), reason="; ".join(said))
    return replace(row, reason=row.reason and f"{option}: {row.reason}",
                   message=row.message and f"{option}: {row.message}")  # fmt: skip


def _paths(name: str, read: Lift, chosen: dict[str, Any]) -> Iterator[Evidence]:
    """The row that says whether the three ways to L2 are one in the code; none for a rule without weight decay."""
    if read.weight_decay in ("none", "unknown"):
        return
    started = time.perf_counter()
    if read.weight_decay == "coupled":
        compared = paths.prove_paths(read.target, read.implementation, **chosen)
        worst = max(compared.values(), key=lambda proof: GRAVITY.index(proof.status))
        yield _proved(f"{name}.code_paths", read, worst, worst.status, time.perf_counter() - started)
        return
    one, two = (paths.lift_path(read.target, path, read.implementation, **chosen) for path in paths.PATHS[:2])
    if two.rule is None:
        return
    proof = induction.prove(one, two.rule)  # what is proved here is that the penalty is something else
    turned = {Status.REFUTED: Status.PROVED, Status.PROVED: Status.REFUTED}.get(proof.status, proof.status)
    yield _proved(f"{name}.code_paths_differ", read, proof, turned, time.perf_counter() - started)


def _proved(law: str, read: Lift, proof: LiftProof, status: Status, seconds: float) -> Evidence:
    undecided = status is Status.UNDECIDED
    what = "the code" if not proof.variable.startswith("initial ") else f"the code's {proof.variable}"
    refuted = f"{what} departs by {proof.difference}" if proof.difference else "the code does something else"
    return Evidence(
        law=law,
        subject=f"cpu-reals-{read.implementation}",
        verdict=VERDICTS[status],
        strength=Strength.PROVED,
        target=read.target,
        reason=proof.method if undecided else _where(proof),
        message=refuted if status is Status.REFUTED else "",
        equals=proof.mutant,
        seconds=round(seconds, 4),
    )


def _where(proof: LiftProof) -> str:
    """What the proof presupposes of the options, as the reason of its row; empty where it holds for all values."""
    return f"proved where {' and '.join(proof.where)}" if proof.proved and proof.where else ""


def _roundings(name: str, read: Lift, chosen: dict[str, Any], profile: str, seed: int) -> Iterator[Evidence]:
    """A row a format: every operation of some steps held against its admissible roundings."""
    for format_name in ("float32",) if profile == "smoke" else FORMATS:
        started = time.perf_counter()
        how: dict[str, Any] = {"dtype": DTYPES[format_name], "steps": STEPS[profile], "seed": seed % 2**63}
        seen = faithful.watch(read.target, read.implementation, **how, **chosen)
        unchecked = ", ".join(sorted(seen.unchecked))
        first = str(seen.violations[0]) if seen.violations else ""
        verdict = Verdict.HELD if seen.faithful else Verdict.VIOLATED if first else Verdict.INCONCLUSIVE
        yield Evidence(
            law=f"{name}.code_roundings",
            subject=f"cpu-{format_name}-{read.implementation}",
            verdict=verdict,
            strength=Strength.FAITHFUL,
            target=read.target,
            reason=f"not looked at: {unchecked}" if unchecked else "",
            cases=1,
            elements=seen.elements,
            message=first,
            seconds=round(time.perf_counter() - started, 4),
        )
