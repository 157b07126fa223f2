"""Modules of tests that are made, not read from files: a test for each law of a target."""

from __future__ import annotations

import functools
import linecache
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from verifier.case import Subject


class TargetModule(pytest.Module):
    """A module of tests that was made, not read from a file."""

    made: ModuleType

    def _getobj(self) -> ModuleType:
        return self.made


def made_of(
    name: str,
    rule: Any,
    subjects: Sequence[Subject],
    sources: dict[str, tuple[str, Any]],
    examples: Mapping[str, Sequence[Any]] = MappingProxyType({}),
) -> ModuleType:
    """A module with a test function for each source: name -> (source, strategy of its cases or None).

    `examples` are cases of it that are always tried.
    """
    from hypothesis import example, given

    from verifier import check, record

    made = ModuleType(name)
    made.rule = rule  # type: ignore[attr-defined]
    made.subjects = list(subjects)  # type: ignore[attr-defined]
    for law, (source, strategy) in sources.items():
        filename = f"<{name}.{law}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        namespace: dict[str, Any] = {"check": check, "__name__": name}
        exec(compile(source, filename, "exec"), namespace)
        function = _noting_refusals(namespace[f"test_{law}"], record)
        function.__module__ = name
        test = given(case=strategy)(function) if strategy is not None else function
        for case in examples.get(law, ()):
            test = example(case=case)(test)
        setattr(made, f"test_{law}", test)
    return made


def _noting_refusals(function: Any, record: Any) -> Any:
    """The test, for which an option the optimizer refuses is a note and no failure."""
    from verifier.case import Refused

    @functools.wraps(function)
    def test(**given: Any) -> None:
        try:
            function(**given)
        except Refused as no:
            record.current().notes[f"it refuses some options: {no}"] += 1
        except record.Violation as found:
            found.case = given.get("case", found.case)  # what the law was given: on it, it can be asked again
            raise

    return test
