"""The law of an optimizer's life, as pytest collects it, and as one recorded life is asked again."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from verifier.auditing import history
from verifier.auditing.life import machine
from verifier.auditing.strayed import Strayed
from verifier.case import Case, Subject
from verifier.record import Violation, current

LIVES = {"ci": 10, "nightly": 300}
"""How many lives a profile lets an optimizer live; a smoke run lets it live none."""

COUPLED = frozenset({"groups", "added_group", "late_parameters", "absent_gradients", "idle_step", "resume"})
"""Contracts without which a parameter need not move as it would alone."""


def lives(found: Any, profile: str) -> list[ModuleType]:
    """The test module of the lives of a class: its for-loop, in float32; none where its parameters are coupled."""
    if profile not in LIVES or COUPLED & set(found.signature.exempt) or found.signature.needs_closure:
        return []
    from verifier.subjects.torch_foreign import subjects

    chosen = settings(
        max_examples=LIVES[profile],
        stateful_step_count=12,
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )

    def test_life(subject: Subject, case: Case | None = None) -> None:
        """Whatever happens in its life, each parameter moves as it would alone, and by the rule where one is known."""
        seen = current()
        try:
            if case is not None:
                history.replayed(found, case)
            else:
                lived = machine(found.signature, held=found.held)
                run_state_machine_as_test(lived, settings=chosen)
        except Strayed as strayed:
            case = case or history.told(lived.past).to_case()  # type: ignore[attr-defined]
            seen.violation = Violation(
                strayed.what,
                subject=subject,
                case=case,
                step=strayed.step,
                tensor=strayed.parameter,
                element=strayed.element,
                observed=repr(strayed.observed),
                expected=strayed.expected,
            )
            raise seen.violation from strayed
        seen.cases = LIVES[profile]
        seen.compared(LIVES[profile])

    made = ModuleType(f"{found.signature.name}_life")
    made.rule = found.signature  # type: ignore[attr-defined]
    of = subjects(found.signature, dtypes=("float32",))
    made.subjects = [one for one in of if one.implementation == "forloop"]  # type: ignore[attr-defined]
    made.test_life = test_life  # type: ignore[attr-defined]
    return [made]
