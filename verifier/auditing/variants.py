"""What is read of a target with each of its switches turned, and proved of that: half of them with another core.

The settings have nothing to do with each other until they are judged, which `probe` does, one after the other.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sympy.core.relational import Relational

from verifier.auditing import claimed, reading, whole
from verifier.auditing.read import Read
from verifier.auditing.reading_time import TooLong, limited
from verifier.auditing.unbounded import unbounded
from verifier.lift import keywords
from verifier.rule import Rule, t
from verifier.subjects.torch_sandbox import Child

if TYPE_CHECKING:
    from verifier.subjects.torch_signature import Signature

Switches = Mapping[str, float]
"""Values of the switches that are turned."""

PATIENCE = 5.0
"""Seconds of a core that reading a class with one switch turned, or a bound out of reach, may take; most take one."""


@dataclass
class Variant:
    """What was learnt of one setting, in this order; `finished` says that the time sufficed."""

    read: Any = None  # the lift
    off: Any = None  # the lift with options that are zero by default at zero, where else they couple elements
    off_proof: Any = None
    off_near: Any = None
    said: str = ""  # what the step is over whole tensors
    over: list[Read] = field(default_factory=list)  # and what is wrong with that
    proof: Any = None
    near: Any = None  # the relation to the nearest rule of the catalogue
    unbounded: str = ""  # what the code is where nothing is bounded, as clipping does
    finished: bool = False


@dataclass(frozen=True)
class Reader:
    """Reads one target under settings of its switches. `declared`: the rule it is held to, if any."""

    known: Signature
    args: Mapping[str, Any]
    declared: Rule | None

    @property
    def literal(self) -> list[str]:
        """The options that are zero by default, and read as symbols nevertheless."""
        names = [o.name for o in self.known.options if o.kind == "float" and o.default == 0]
        return [name for name in names if name not in keywords.DECAY_NAMES]

    def all(self, *, thorough: bool) -> Iterator[tuple[Switches, Variant]]:
        """Every setting that is read, the defaults first, and alone: the others share what comparing them computed."""
        first = Variant()
        self._lift(first, {})
        self._whole(first, {})
        self._prove(first, {})
        self._unbounded(first)
        yield {}, first
        others = turned(self.known, 6 if thorough else 2)
        here, there = others[::2], others[1::2]
        switched = functools.partial(self._switched, first=first)
        elsewhere: list[Variant] = []
        with Child(functools.partial(switched, there)) if there else contextlib.nullcontext() as child:
            found = switched(here)
            if child is not None:
                answer = child.answer()
                elsewhere = answer if isinstance(answer, list) else switched(there)
        found = [one for both in itertools.zip_longest(found, elsewhere) for one in both if one is not None]
        yield from zip(others, found, strict=True)

    def _switched(self, several: Sequence[Switches], *, first: Variant) -> list[Variant]:
        """What is learnt of settings of the switches; over whole tensors only where the defaults, `first`, are."""
        found = []
        for fixed in several:
            one = Variant()
            found.append(one)
            with contextlib.suppress(TooLong), limited(PATIENCE):
                self._lift(one, fixed)
                if first.said:
                    self._whole(one, fixed)
                self._prove(one, fixed, known_as=first.read)
        return found

    def _lift(self, found: Variant, fixed: Switches) -> None:
        switches = self._arguments(fixed)
        found.read = read = reading.lift(self.known, "forloop", self.literal, switches, dict(self.args))
        if read is None or not read.coupled or self.declared is not None or not self.literal:
            return
        off = reading.lift(self.known, "forloop", [], switches, dict(self.args))
        if off is not None and not off.coupled and enclosable(off):
            found.off, found.off_proof = off, reading.prove(off, None, tell=False)
            found.off_near = claimed.relation(off, found.off_proof, fixed)

    def _whole(self, found: Variant, fixed: Switches) -> None:
        again = functools.partial(reading.lift, self.known, "forloop", self.literal, self._arguments(fixed))
        found.said, found.over = whole.told(self.known, found.read, again, dict(self.args), fixed)

    def _prove(self, found: Variant, fixed: Switches, known_as: Any = None) -> None:
        """What the code follows, or nearly; what it nearly follows is not asked of what is `known_as` the same."""
        read, known = found.read, self.known
        if read is not None and read.rule is not None:
            found.proof = reading.prove(read, self.declared if not fixed else None, tell=not fixed)
            if self.declared is None and not _only_scheduled(read, known_as):
                found.near = claimed.relation(read, found.proof, fixed, turns(read.rule, known), self._numbers)
        found.finished = True

    def _unbounded(self, found: Variant) -> None:
        read, proved = found.read, found.proof is not None and found.proof.proved
        if self.declared is not None or read is None or found.said or found.near is not None or proved:
            return
        lifting = functools.partial(reading.lift, self.known, "forloop", self.literal, {}, dict(self.args))
        with contextlib.suppress(TooLong), limited(PATIENCE):  # what was read with the bound stays
            found.unbounded, wrong = unbounded(read, lambda bound: lifting(beyond=bound), self._numbers)
            found.over = found.over or wrong

    @property
    def _numbers(self) -> dict[str, float]:
        """The options that are numbers and that groups have, with their defaults."""
        numbers = {o.name: o.default for o in self.known.options if o.kind == "float"}
        return {name: value for name, value in numbers.items() if name in self.known.group_options}

    def _arguments(self, fixed: Switches) -> dict[str, bool]:
        return {self.known.option(name).argument: bool(value) for name, value in fixed.items()}


def _only_scheduled(read: Any, other: Any) -> bool:
    """Whether code differs from other code in what a scheduler of its rates does to it, and in nothing else."""
    if other is None or other.rule is None or not read.captured:
        return False
    return bool((read.at_rest.step, read.at_rest.state) == (other.at_rest.step, other.at_rest.state))


def turned(known: Signature, most: int) -> list[Switches]:
    """Settings of the switches that are read besides the defaults: each turned the other way, known ones first."""
    switches = [o for o in known.options if o.kind == "switch" and len(o.values) > 1]
    ordered = sorted(switches, key=lambda o: o.argument not in claimed.MEANT)
    return [{o.name: o.values[1]} for o in ordered[:most]]


def turns(rule: Rule, known: Signature) -> set[int]:
    """The numbers of steps at which a rule becomes another one, and that no option sets: mistakes that begin late.

    What several options set, as the lengths of stages that follow each other, is their sum.
    """
    compared = {r for _, step in rule.step for r in step.atoms(Relational) if t in r.args}
    numbers = {int(n) for r in compared for n in r.args if n.is_Integer and n > 2}
    given = {int(v) for option in known.options for v in option.values if float(v).is_integer()}
    stages = [int(option.default) for option in known.options if option.kind == "int" and option.default > 0][:8]
    given |= {sum(some) for count in range(2, len(stages) + 1) for some in itertools.combinations(stages, count)}
    return {n for n in numbers if not given & {n - 1, n, n + 1}}  # counts begin with 0 or 1, and end before or after


def enclosable(read: Any) -> bool:
    """Whether steps can be held to a lifted rule: it holds of every element and option, and enclosures cover it."""
    if read.coupled or read.path_conditions or read.scope or read.status != "lifted":
        return False
    return claimed.covered(read.rule)
