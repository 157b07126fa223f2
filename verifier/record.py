"""What one property has seen so far: filled by `check`, read by the pytest plugin, one record a test."""

from __future__ import annotations

import contextvars
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from verifier.case import Case, Subject
from verifier.evidence import Strength
from verifier.floats import Array


@dataclass(frozen=True, eq=False)
class Pair:
    """The two runs a violation compared: of `observed`, which should end as that of `expected` does.

    `here` and `there` are the flat elements of the one and the other that correspond; none: all of them, in order.
    `unlike`: they should not end alike. `reach`: how far apart rounding may take them. `of`: a state variable that is
    compared in the place of the parameters.
    """

    observed: Case
    expected: Case
    here: tuple[int, ...] = ()
    there: tuple[int, ...] = ()
    unlike: bool = False
    reach: float = 0.0
    of: str = ""


class Violation(AssertionError):
    """A subject broke a law. Carries where (step, tensor, element), what was observed, what should have been.

    `ulps` is the distance from the nearest admissible value, in units in the last place of the subject's format.
    """

    def __init__(
        self,
        what: str,
        *,
        subject: Subject,
        case: Case | None = None,
        step: int | None = None,
        tensor: int | None = None,
        element: int | None = None,
        observed: str = "",
        expected: str = "",
        ulps: float | None = None,
    ) -> None:
        self.what = what
        self.subject = subject
        self.case = case
        self.follow_up = case  # what was run; `case` becomes what the law was given, where that is known
        self.pair: Pair | None = None  # of a law about two runs
        self.step = step
        self.tensor = tensor
        self.element = element
        self.observed = observed
        self.expected = expected
        self.ulps = ulps
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """Observed, expected, where and how far, in one grammar for every law."""
        place = [f"step {self.step}"] if self.step is not None else []
        place += [f"tensor {self.tensor}"] if self.tensor is not None else []
        place += [f"element {self.element}"] if self.element is not None else []
        where = f" at {', '.join(place)}" if place else ""
        seen = f": observed {self.observed}, but should be {self.expected}" if self.expected else ""
        far = f" ({self.ulps:g} ulp away)" if self.ulps is not None else ""
        return f"{self.subject.rule.name} on {self.subject.id}: {self.what}{where}{seen}{far}"


@dataclass
class Record:
    """Counts and extremes over the cases of one test of one subject."""

    strength: Strength = Strength.HELD
    cases: int = 0
    elements: int = 0
    vacuous: int = 0
    margin: float | None = None
    options: Counter[str] = field(default_factory=Counter)
    profiles: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    undecided: Counter[str] = field(default_factory=Counter)  # what was compared and could be told neither way
    violation: Violation | None = None
    silent: str = ""  # why nothing is compared, where a check can tell
    firsts: dict[str, Any] = field(default_factory=dict)  # what is done for one case alone -> that case
    listed: bool = False  # known to fail, with a script that shows it: the first violation is enough
    steps: int = 0  # the optimizer's own
    moved: int = 0  # elements of the parameters, over all steps
    step_seconds: float = 0.0

    def saw(self, case: Case, options: tuple[str, ...]) -> None:
        """Counts a case and the options it examines."""
        self.cases += 1
        self.options.update(options)

    def first(self, what: str, case: Case) -> bool:
        """Whether this is the first case of `what`, or that case again: for what is costly, one case must do."""
        key = (case.shapes, case.theta.tobytes(), case.grads.tobytes(), tuple(sorted(case.hyper.items())))
        return bool(self.firsts.setdefault(what, key) == key)

    def says_nothing(self, why: str) -> None:
        """Notes why a check compares nothing here, for the row that is inconclusive for it."""
        self.silent = self.silent or why

    def compared(self, elements: int, vacuous: int = 0, margin: float | None = None) -> None:
        """Counts element-checks; `vacuous` of them had an unbounded enclosure and show nothing."""
        self.elements += elements
        self.vacuous += vacuous
        if margin is not None:
            self.margin = margin if self.margin is None else max(self.margin, margin)

    def stepped(self, elements: int, seconds: float) -> None:
        """Counts a step of the optimizer over so many elements, and the seconds it took itself."""
        self.steps += 1
        self.moved += elements
        self.step_seconds += seconds

    @property
    def empty(self) -> bool:
        """Whether nothing was compared, so that passing shows nothing."""
        return self.elements - self.vacuous <= 0

    def to_row(self) -> dict[str, Any]:
        """The fields of an evidence row that this record settles."""
        row: dict[str, Any] = {
            "strength": self.strength.value,
            "cases": self.cases,
            "elements": self.elements,
            "vacuous": self.vacuous,
            "margin": self.margin,
            "options": dict(sorted(self.options.items())),
            "steps": self.steps,
            "moved": self.moved,
            "step_seconds": round(self.step_seconds, 6),
        }
        if self.violation is not None:
            found = self.violation
            small = found.case is not None and found.case.grads.size <= 4096
            row |= {
                "observed": found.observed,
                "expected": found.expected,
                "ulps": found.ulps,
                "step": found.step,
                "tensor": found.tensor,
                "element": found.element,
                "message": found.sentence,
                "case": found.case.to_json() if small and found.case is not None else None,
            }
        return row


_current: contextvars.ContextVar[Record] = contextvars.ContextVar("record")


def current() -> Record:
    """The record of the running test; a fresh one where no plugin started it (a property called by hand)."""
    try:
        return _current.get()
    except LookupError:
        return start()


def start() -> Record:
    """A new record, now the current one."""
    record = Record()
    _current.set(record)
    return record


def place_of(case: Case, element: int) -> tuple[int, int]:
    """(tensor, element within it) of a flat index."""
    for number, part in enumerate(case.slices):
        if part.start <= element < part.stop:
            return number, element - part.start
    raise IndexError(element)


def show(value: float) -> str:
    """A float so that reading it back gives the same bits, with its hexadecimal form where decimal hides it."""
    return f"{value!r}" if float(f"{value:.6g}") == value else f"{value!r} ({float(value).hex()})"


def first(where: Any) -> int:
    """The first flat index at which a boolean array is true."""
    return int(np.flatnonzero(where)[0])


def range_text(low: float, high: float) -> str:
    """One value, or the interval between two."""
    return show(low) if low == high else f"in [{show(low)}, {show(high)}]"


def worst(distances: Array) -> float:
    """The largest finite distance, or infinity."""
    return float(np.max(distances)) if distances.size else 0.0
