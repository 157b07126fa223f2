"""Implementations that claim a rule of their own: any optimizer class beside the rule written down for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verifier.case import Subject
from verifier.rule import Rule
from verifier.subjects.torch_foreign import subjects
from verifier.subjects.torch_signature import signature

DTYPES = ("float64", "float32", "bfloat16")


def claiming(target: str | Callable[..., Any], rule: Rule) -> list[Subject]:
    """The subjects of a class that claims `rule`: every implementation it has, in three formats.

    State is read where the code keeps it under the rule's names. UsageError for a target that is not there.
    """
    names = frozenset(symbol.name for symbol in rule.state)
    return subjects(signature(target), dtypes=DTYPES, rule=rule, state_names=names)
