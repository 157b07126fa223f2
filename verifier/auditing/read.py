"""What comparing code with a rule said, as plain data; and what a rule that was read computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sympy import true
from sympy.core.relational import Relational

from verifier.rule import Rule, t


@dataclass(frozen=True)
class Read:
    """What comparing the code of one implementation with a rule said; `subject` is the implementation."""

    subject: str
    rule: str
    status: str
    difference: str
    mutant: str = ""
    shows: Mapping[str, Any] = field(default_factory=dict)  # numbers on which it shows: `lift.matrix_shown.shown`


def computes_with_t(rule: Rule) -> bool:
    """Whether the number of the step enters a value, and not only the choice of one."""
    chosen = (step.xreplace(dict.fromkeys(step.atoms(Relational), true)) for _, step in rule.step)
    return any(t in step.free_symbols for step in chosen)
