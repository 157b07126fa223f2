"""The laws of an audited target, to be asked one at a time on one case: for replays, and to see what matters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from verifier import record
from verifier.auditing import collect as audit_collect
from verifier.auditing import probe as audit_probe
from verifier.auditing.request import Request
from verifier.case import Case, Refused, Subject
from verifier.errors import UsageError


class Laws:
    """Every test module of one target. `reason` says why there is none."""

    def __init__(self, request: Request) -> None:
        self.found = audit_probe.probe(request)
        self.reason = self.found.reason
        self.modules = [] if self.reason else audit_collect.modules(request)

    def violation(self, law: str, subject: str, case: Case) -> record.Violation | None:
        """What one law finds wrong with one subject on one case; None where it holds, or says nothing."""
        test, one = self._test(law, subject)
        record.start()
        try:
            test(subject=one, case=case)
        except record.Violation as found:
            return found
        except Refused:
            return None
        return None

    def _test(self, law: str, subject: str) -> tuple[Any, Subject]:
        owner, _, name = law.partition(".")
        for made in self.modules:
            test = getattr(made, f"test_{name}", None)
            found = next((s for s in made.subjects if s.id == subject), None)
            if made.rule.name == owner and test is not None and found is not None:
                return test.hypothesis.inner_test, found
        raise UsageError(f"there is no law {law} of {subject}", given=law)

    def smaller(self, law: str, subject: str, case: Case, defaults: dict[str, float]) -> tuple[Case, list[str]]:
        """The case with everything left out that the violation does not need, and the settings it does need."""
        wanted = _kind(self.violation(law, subject, case))
        if not wanted:
            return case, []
        for other in _simpler(case, defaults):
            case = other(case) if _kind(self.violation(law, subject, other(case))) == wanted else case
        away = [f"{n} = {v:g}" for n, v in sorted(case.hyper.items()) if v != defaults.get(n, v)]
        parts = [f"{len(case.groups)} groups"] * (len(case.groups) > 1) + ["a schedule"] * bool(case.schedule)
        parts += ["missing gradients"] * bool(case.absent) + ["maximize"] * case.maximize
        return case, away + parts


def _kind(found: record.Violation | None) -> str:
    return found.what if found is not None else ""


def _simpler(case: Case, defaults: dict[str, float]) -> Iterator[Any]:
    """Functions that make a case plainer, each in one respect."""
    yield lambda c: c.with_(maximize=False)
    yield lambda c: c.with_(groups=())
    yield lambda c: c.with_(schedule={})
    yield lambda c: c.with_(absent=frozenset())
    yield lambda c: c.with_(layout="contiguous", grad_layout="contiguous")
    yield _one_tensor
    yield _short_vectors
    yield _one_element
    for steps in (1, 2, 3):
        yield lambda c, steps=steps: c if c.steps <= steps else _steps(c, steps)
    for name in sorted(case.hyper):
        if name in defaults:
            yield lambda c, name=name: c.with_(hyper={**c.hyper, name: defaults[name]})
    for value in (1.0, 2.0):
        yield lambda c, value=value: replace(c, grads=c.grads * 0 + value)
    yield lambda c: replace(c, theta=c.theta * 0 + 1.0)


def _steps(case: Case, steps: int) -> Case:
    return case.with_(
        grads=case.grads[:steps],
        schedule={k: v for k, v in case.schedule.items() if k <= steps},
        absent=frozenset((s, k) for s, k in case.absent if s <= steps),
    )


def _one_tensor(case: Case) -> Case:
    first = next((k for k, size in enumerate(case.sizes) if size), 0)
    part = case.slices[first]
    return case.with_(
        shapes=(case.shapes[first],), theta=case.theta[part], grads=case.grads[:, part], groups=(), absent=frozenset()
    )


def _short_vectors(case: Case) -> Case:
    """The case with two elements of each longer vector: violations that need several tensors keep them."""
    kept = [shape if len(shape) != 1 else (min(shape[0], 2),) for shape in case.shapes]
    parts = zip(case.slices, kept, strict=True)
    index = [k for part, shape in parts for k in range(part.start, part.stop)[: math.prod(shape)]]
    if len(index) == len(case.theta):
        return case
    return case.with_(shapes=tuple(kept), theta=case.theta[index], grads=case.grads[:, index])


def _one_element(case: Case) -> Case:
    if len(case.shapes) != 1 or len(case.shapes[0]) > 1:
        return case
    return case.with_(shapes=((1,),), theta=case.theta[:1], grads=case.grads[:, :1])
