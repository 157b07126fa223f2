"""Contracts that say nothing of numbers: a smoke run asks them in one format, a longer one in every format."""

from __future__ import annotations

from types import ModuleType
from typing import Any

ONCE = frozenset({
    "bad_options", "bounded_memory", "copying", "misspelt_option", "pickling", "resume_from_copy",
    "resume_from_file", "resume_from_pickle", "saving", "surroundings", "whole_tensors", "zero_grad",
})  # fmt: skip
"""What is refused, kept, cleared, written to a file, or read at all: `resume` is asked in every format."""

FORMAT = "float32"


def apart(contracts: Any) -> list[ModuleType]:
    """The contracts of a smoke run as two modules, the second with those of `ONCE`, for the subjects of one format.

    As one, where no subject of that format can be tested.
    """
    chosen = [subject for subject in contracts.subjects if subject.format.name == FORMAT]
    names = [name for name in vars(contracts) if name.startswith("test_") and name.removeprefix("test_") in ONCE]
    if not names or all(subject.untestable for subject in chosen):
        return [contracts]
    once: Any = ModuleType(f"{contracts.__name__}_once")
    vars(once).update({name: value for name, value in vars(contracts).items() if not name.startswith("test_")})
    once.__name__, once.subjects = f"{contracts.__name__}_once", chosen
    for name in names:
        setattr(once, name, getattr(contracts, name))
        delattr(contracts, name)
    return [contracts, once]
