"""Option values that a constructor accepts and a step cannot be taken with: one finding, and left out of all else."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from verifier.case import Case, Group, Refused
from verifier.floats import FORMATS
from verifier.subjects.torch_conventions import case_of
from verifier.subjects.torch_sandbox import Child
from verifier.subjects.torch_signature import Signature
from verifier.subjects.torch_travel import Escaped

STEPS = 6
"""Steps tried: some values raise only once a few steps were counted."""

KINDS = 3
"""Kinds of error that are told apart; more are of one nest."""

BASES = 5
"""Combinations of options, besides the defaults, that two groups are tried with."""

MOMENTA = ("momentum", "mu")
"""Options that are also tried at zero, which is no value to draw where the default is another."""

Elsewhere = dict[str, frozenset[str]]
Errors = Callable[[Case], Exception | None]
ErrorsAt = Callable[[Case, str, str], Exception | None]


@dataclass
class Stumbles:
    """What was found so far: a case for each kind of error."""

    error: Errors  # what running a case raises
    shape: tuple[int, ...]
    cases: dict[str, Case] = field(default_factory=dict)

    def raised(self, signature: Signature, hyper: Mapping[str, float]) -> Exception | None:
        """What some steps with these options raise; the step's own mistake is kept, if the defaults can step."""
        case = case_of(signature, [self.shape], hyper, STEPS)
        plain = case_of(signature, [self.shape], signature.defaults, STEPS)
        return self._kept(case, plain)

    def apart(self, signature: Signature, names: frozenset[str]) -> frozenset[str]:
        """Those of the options `names` that one group may have of its own, beside a group that has other values.

        Of a group that makes the step raise, one option is left out without which it would not: a switch if there is.
        """
        bases = (signature.defaults, *signature.configurations[:BASES])
        for base, other in itertools.permutations(bases, 2):
            both = case_of(signature, [self.shape] * 2, base, STEPS, groups=(Group((0,)), Group((1,))))
            own = {name: other[name] for name in sorted(names)}
            if self.error(both) is not None or not _own(self._kept(_beside(both, own), both)):
                continue
            needed = [n for n in own if not _own(self.error(_beside(both, own | {n: base[n]})))]
            switches = [n for n in needed if signature.option(n).kind == "switch"]
            names -= {*(switches or needed)[:1]}
        return names

    @contextlib.contextmanager
    def begun(
        self, signature: Signature, error: ErrorsAt
    ) -> Iterator[Callable[[], tuple[Elsewhere, tuple[Case, ...]]]]:
        """Begins `elsewhere` in a forked child, with another core; yields what returns that, and the cases of all.

        Where the child ends without an answer, this process asks again, and meets what ended it.
        """

        def asked() -> tuple[Elsewhere, tuple[Case, ...]]:
            return self.elsewhere(signature, error), tuple(self.cases.values())

        def told() -> tuple[Elsewhere, tuple[Case, ...]]:
            answer: Any = child.answer()
            return answer if isinstance(answer, tuple) and isinstance(answer[0], dict) else asked()

        with Child(asked) as child:
            yield told

    def elsewhere(self, signature: Signature, error: ErrorsAt) -> Elsewhere:
        """Errors that combinations of options raise in other implementations or formats: kind -> where.

        Not where the defaults raise too: then it is no matter of options. A case of each kind is kept.
        """
        found: dict[str, set[str]] = {}
        plain = case_of(signature, [self.shape], signature.defaults, STEPS)
        for option in signature.options:  # without a momentum many steps take other lines, and it is drawn of no case
            if option.name in MOMENTA and 0.0 < option.default < 1.0:
                self.raised(signature, {**signature.defaults, option.name: 0.0})
        for implementation, dtype in itertools.product(signature.implementations, FORMATS):
            place = f"{implementation} {dtype}"
            if place == "forloop float64" or {implementation, place} & set(signature.unavailable):
                continue
            if error(plain, implementation, dtype) is not None:
                continue
            for together, each in self._at_once(signature):
                if error(together, implementation, dtype) is None:
                    continue
                for hyper in each:
                    case = case_of(signature, [self.shape], hyper, STEPS)
                    raised = error(case, implementation, dtype)
                    if raised is not None and _own(raised) and len({*self.cases, kind(raised)}) <= 2 * KINDS:
                        self.cases.setdefault(kind(raised), case)
                        found.setdefault(kind(raised), set()).add(place)
        return {name: frozenset(places) for name, places in found.items()}

    def _at_once(self, signature: Signature) -> Iterator[tuple[Case, list[Mapping[str, float]]]]:
        """Cases of many groups that together have every combination of options, and the combinations in each."""
        apart: dict[tuple[float, ...], list[Mapping[str, float]]] = {}
        for hyper in (*signature.configurations, *signature.plain):
            fixed = tuple(v for n, v in sorted(hyper.items()) if n not in signature.group_options)
            apart.setdefault(fixed, []).append(hyper)
        for each in apart.values():
            own = [{n: v for n, v in hyper.items() if n in signature.group_options} for hyper in each]
            groups = tuple(Group((k,), options) for k, options in enumerate(own)) if own[0] and len(own) > 1 else ()
            yield case_of(signature, [self.shape] * max(1, len(groups)), each[0], STEPS, groups=groups), each

    def has(self, error: Exception) -> bool:
        """Whether an error is among those that were kept."""
        return kind(error) in self.cases

    def _kept(self, case: Case, plain: Case) -> Exception | None:
        error = self.error(case)
        if error is not None and _own(error) and self.error(plain) is None and len(self.cases) < KINDS:
            self.cases.setdefault(kind(error), case)
        return error


def kind(error: Exception) -> str:
    """What errors have in common that are one mistake: type and text, but for numbers."""
    return re.sub(r"\d+", "N", f"{type(error).__name__} {error}")


def _beside(case: Case, own: Mapping[str, float]) -> Case:
    """The case, its second group with options of its own."""
    return case.with_(groups=(case.groups[0], Group((1,), own)))


def _own(error: Exception | None) -> bool:
    """Whether an error is a mistake of the step, and no refusal."""
    return error is not None and not isinstance(error, Refused | Escaped | ImportError)
