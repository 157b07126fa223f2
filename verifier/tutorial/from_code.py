"""What the code of the optimizers says of the tutorial's claims, read out of it operation by operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verifier import rules
from verifier.errors import UsageError
from verifier.evidence import Verdict
from verifier.lift.lifted import Lift, lift
from verifier.printing import to_text
from verifier.rule import transition
from verifier.tutorial.algebra import Finding, proved, refuted, same
from verifier.tutorial.exact import OPTIMIZERS

DECAY = 0.1
"""Any number but 0 makes weight_decay a symbol in a lift."""

IMPLEMENTATIONS = ("forloop", "foreach")
"""Fused kernels are opaque to a lift."""


def sgd_is_its_rule(optimizers: Any) -> list[Finding]:
    """Whether the code of SGD steps as the rule sgd does, for all values; empty where the code cannot be read."""
    rule, findings = rules.get("sgd"), []
    for implementation in IMPLEMENTATIONS:
        read = _read(optimizers, "sgd", implementation)
        if read is None or read.rule is None or read.path_conditions:
            continue
        found, expected = transition(read.rule)[read.rule.theta], transition(rule)[rule.theta]
        if same(found, expected):
            said = f"the code of SGD, {implementation}, is theta' = {to_text(expected)}"
            findings.append(proved(said))
        else:
            seen = f"the code of SGD, {implementation}, is theta' = {to_text(found)}"
            findings.append(refuted(f"{seen}, but should be {to_text(expected)}"))
    return findings


def decays(optimizers: Any, names: Sequence[str], kind: str) -> list[Finding]:
    """Whether the decay in the code of each rule's class is of `kind`, for all values, in for-loop and foreach.

    `coupled` is proved from the code's own expressions: all results are what they would be with weight_decay 0 and
    weight_decay * theta added to the gradient. Code that cannot be read is named, and is no finding of fault.
    """
    unread, wrong, one_branch = [], [], 0
    for name in names:
        for implementation in IMPLEMENTATIONS:
            read = _read(optimizers, name, implementation)
            where = f"{name} {implementation}"
            if read is None or read.rule is None:
                unread.append(f"{where} ({'its constructor' if read is None else read.stopped_by})")
            elif read.weight_decay != kind:
                wrong.append(f"{where} has {read.weight_decay} decay, but should have {kind}")
            else:
                one_branch += bool(read.path_conditions)
    if wrong:
        return [refuted("; ".join(wrong))]
    said = f"read out of their code, for-loop and foreach, these {len(names)} have {kind} decay"
    said += f" ({one_branch} of the {2 * len(names)} readings follow one branch of the code)" if one_branch else ""
    if unread:
        return [Finding(Verdict.HELD, f"{said}, except what could not be read: {'; '.join(unread)}")]
    return [proved(said)]


def _read(optimizers: Any, name: str, implementation: str) -> Lift | None:
    """The lift of the rule's class; None where the class takes other arguments than torch's."""
    kind, options = OPTIMIZERS[name]
    try:
        return lift(getattr(optimizers, kind), implementation, weight_decay=DECAY, **options)
    except UsageError:
        return None
