"""Contracts that say little of numbers: a smoke run asks them in fewer formats, a longer one in every format."""

from __future__ import annotations

from collections.abc import Callable, Set
from types import ModuleType
from typing import Any

ONCE = frozenset({
    "bad_options", "bounded_memory", "copying", "divisors", "misspelt_option", "pickling", "resume_from_copy",
    "resume_from_file", "resume_from_pickle", "saving", "shares", "small_changes", "surroundings", "whole_tensors",
    "zero_grad",
})  # fmt: skip
"""What is refused, kept, cleared, written to a file, or read at all: `resume` is asked in every format."""

KEPT = frozenset({
    "absent_gradients", "acting_rates", "acting_switches", "added_group", "closure", "empty_parameters",
    "evaluation", "groups", "idle_step", "late_parameters", "many_parameters", "memory_of_steps", "neighbours",
    "no_graph", "options_read", "order", "own_state", "purity", "read_options", "resume_across", "resume_over_others",
    "schedule", "scheduled_lr", "skipped_first_step", "skipped_step", "switched_on", "tensor_lr",
    "written_memory",
})  # fmt: skip
"""Which parameter, group, option or tensor of state a step takes, and whether it takes it, whatever its numbers are.

They are asked in float32, and where the for-loop may keep a master copy, which is in bfloat16.
"""


def apart(contracts: Any) -> list[ModuleType]:
    """The contracts of a smoke run as modules: all others, those of `KEPT`, and those of `ONCE`, for fewer subjects.

    As one, where no subject of float32 can be tested.
    """
    plain = [subject for subject in contracts.subjects if _plain(subject)]
    if all(subject.untestable for subject in plain):
        return [contracts]
    kept = _moved(contracts, "kept", KEPT, lambda subject: _plain(subject) or _master(subject))
    once = _moved(contracts, "once", ONCE, _plain)
    return [contracts, *kept, *once]


def _plain(subject: Any) -> bool:
    return bool(subject.format.name == "float32")


def _master(subject: Any) -> bool:
    return bool(subject.format.name == "bfloat16" and subject.implementation == "forloop")


def _moved(contracts: Any, name: str, chosen: Set[str], of: Callable[[Any], bool]) -> list[ModuleType]:
    """The module of those contracts, which leave the module of all, for the subjects that `of` says; none, if none."""
    names = [test for test in vars(contracts) if test.startswith("test_") and test.removeprefix("test_") in chosen]
    if not names:
        return []
    made: Any = ModuleType(f"{contracts.__name__}_{name}")
    vars(made).update({key: value for key, value in vars(contracts).items() if not key.startswith("test_")})
    made.__name__, made.subjects = f"{contracts.__name__}_{name}", [s for s in contracts.subjects if of(s)]
    for test in names:
        setattr(made, test, getattr(contracts, test))
        delattr(contracts, test)
    return [made]
