"""Which known mistake an observed violation equals, if it equals one."""

from __future__ import annotations

import contextvars
from dataclasses import replace

import sympy

from verifier import check, record, rules
from verifier.case import Case, Subject
from verifier.mutants import mutants
from verifier.rule import Rule


def answerable(rule: Rule) -> bool:
    """Whether a rule can be told from its mistakes in seconds: those of the catalogue, and others without cases."""
    if rule.name in rules.names():
        return True
    return not any(expression.has(sympy.Min, sympy.Max, sympy.Piecewise) for _, expression in rule.step)


def equals(subject: Subject, case: Case) -> Rule | None:
    """The first known mistake that explains every step the subject takes on `case`, where its own rule does not.

    None where the subject follows its rule on this case (what it broke is not the formula), or where no known
    mistake explains it.
    """
    if _explains(subject.rule, subject, case):
        return None
    return next((wrong for wrong in mutants(subject.rule) if _explains(wrong, subject, case)), None)


def _explains(rule: Rule, subject: Subject, case: Case) -> bool:
    """Whether every step the subject takes lies in the enclosure of `rule`, and something was compared."""
    return contextvars.copy_context().run(_encloses, rule, subject, case)


def _encloses(rule: Rule, subject: Subject, case: Case) -> bool:
    seen = record.start()  # in a context of its own: the running test's record stays as it is
    try:
        check.steps_enclosed(replace(subject, rule=rule), case)
    except record.Violation:
        return False
    return not seen.empty
