"""Optimizers as pytest items: `@verifier.pytest.parametrize(MyOptimizer)` makes one item a law and subject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def parametrize(target: Any, *, rule: str = "", profile: str = "smoke", **args: Any) -> Callable[[Any], Any]:
    """Makes of a test one item for each law and subject of `target`; the test calls what it is given.

    `target` is an optimizer class, pkg.mod:Class or path/file.py:Class; `rule` a rule it is held to; `args` arguments
    of its constructor. The test takes one argument, `law`, and calls it:

        @verifier.pytest.parametrize(MyOptimizer)
        def test_my_optimizer(law):
            law()

    A law that does not hold raises `verifier.record.Violation`, an AssertionError. Ids are the law and the subject,
    the same in every process. UsageError where the target, its arguments or the rule cannot be understood: no item
    could say so but by being skipped.
    """
    import pytest

    from verifier import draws
    from verifier.auditing.audit import _name
    from verifier.auditing.collect import modules
    from verifier.auditing.probe import probe
    from verifier.auditing.request import Request
    from verifier.errors import UsageError

    request = Request(_name(target), rule, tuple(sorted(args.items())), profile)
    if (found := probe(request)).usage:
        raise UsageError(found.reason)
    items = []
    for made in modules(request):
        for name, test in sorted(vars(made).items()):
            if not name.startswith("test_"):
                continue
            if hasattr(test, "hypothesis"):
                draws.number(test, profile, shrink=True)
            for subject in made.subjects:
                marks = [pytest.mark.skip(reason=subject.untestable)] if subject.untestable else []
                item = _Law(test, subject)
                items.append(pytest.param(item, id=f"{made.rule.name}.{name[5:]}@{subject.id}", marks=marks))
    return pytest.mark.parametrize("law", items)


class _Law:
    """A law of one subject, ready to be asked."""

    def __init__(self, test: Any, subject: Any) -> None:
        self._test, self._subject = test, subject

    def __call__(self) -> None:
        self._test(subject=self._subject)
