"""The laws of an audited target, to be asked one at a time on one case: for replays, and to see what matters."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from verifier import record
from verifier.auditing import collect as audit_collect
from verifier.auditing import history, needs
from verifier.auditing import probe as audit_probe
from verifier.auditing.cases import full, plain
from verifier.auditing.request import Request
from verifier.case import Case, Group, Refused, Subject
from verifier.check.seen import RAISED
from verifier.errors import UsageError

ROUNDS = 3
"""How often what may make a case plainer is tried: what was needed in one round may not be in the next."""

OF_WHOLE = 12
"""How many of these, the first, are of the case as a whole: they are tried again."""


class Laws:
    """Every test module of one target. `reason` says why there is none."""

    def __init__(self, request: Request) -> None:
        self.found = audit_probe.probe(request)
        self.reason = self.found.reason
        self.profile = request.profile
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

    def whole_test(self, law: str, subject: str) -> tuple[Any, Subject]:
        """The test of a law, which draws its cases, and the subject of that id; UsageError where there is none."""
        owner, _, name = law.partition(".")
        for made in self.modules:
            test = getattr(made, f"test_{name}", None)
            found = next((s for s in made.subjects if s.id == subject), None)
            if made.rule.name == owner and test is not None and found is not None:
                return test, found
        raise UsageError(f"there is no law {law} of {subject}", given=law)

    def _test(self, law: str, subject: str) -> tuple[Any, Subject]:
        """The test as a function of one case."""
        test, found = self.whole_test(law, subject)
        return getattr(getattr(test, "hypothesis", None), "inner_test", test), found

    def of_any_case(self, law: str, subject: str, case: Case) -> tuple[str, Case]:
        """A law that makes a long run, or groups, of its case, as one that asks the same of any case, and that case."""
        owner, _, name = law.partition(".")
        if name in CHOOSING:
            seen = self.violation(law, subject, case)
            made = seen.pair.observed if seen is not None and seen.pair else case
            return law, made if of_itself(law, self.violation(law, subject, made), made) else case
        if name not in LONG:
            return law, case
        found = self.violation(law, subject, case)
        if found is None or found.follow_up is None:
            return law, case
        return f"{owner}.{LONG[name]}", _steps(found.follow_up, found.step or found.follow_up.steps)

    def witness(self, subject: str) -> tuple[str, str, Case] | None:
        """A law, a subject and a case that show in numbers what a proof of an implementation refuted, if any does."""
        assert self.found.signature is not None
        implementation = subject.rpartition("-")[2]
        asked = [(made, name) for name in SHOWING for made in self.modules if hasattr(made, f"test_{name}")]
        tried = list(ordinary(self.found.signature))
        for made, name in asked:
            names = {symbol.name for symbol in made.rule.hyper}
            for one in (s for s in made.subjects if s.implementation == implementation and not s.untestable):
                if one.format.name not in ("float64", "float32"):
                    continue
                for case in tried:
                    mine = case.with_(hyper={n: v for n, v in case.hyper.items() if n in names})
                    law = f"{made.rule.name}.{name}"
                    if self.violation(law, one.id, mine) is not None:
                        return law, one.id, mine
        return None

    def smaller(self, law: str, subject: str, case: Case, defaults: Mapping[str, float]) -> Case:
        """The case with everything left out that the violation does not need, its options at their defaults."""
        wanted = _kind(self.violation(law, subject, case))
        if not wanted:
            return case
        if law.endswith(".life"):
            return history.smaller(self.found, history.History.from_case(case)).to_case()
        for number in range(ROUNDS):
            before = case
            for other in itertools.islice(simpler(case, defaults), None if number == 0 else OF_WHOLE):
                plainer = other(case)
                if _same(plainer, case):
                    continue
                found = self.violation(law, subject, plainer)
                if _kind(found) == wanted and of_itself(law, found, plainer):
                    case = plainer
            if case is before:
                break  # what one round took away may have been all that needed the rest
        return case

    def matters(self, law: str, subject: str, case: Case, signature: Any) -> tuple[list[str], list[str]]:
        """The settings without which the violation of a case is gone, in words, and those that may have another value.

        A setting that the law itself chooses is among the first, with the value it chose. What cannot be told within
        `ASKING` seconds is in neither.
        """
        found = self.violation(law, subject, case)
        if found is None:
            return [], []
        if law.endswith(".life"):
            return _events(case, signature), []
        ran = found.pair.observed if found.pair else found.follow_up or case
        matter, idle = [], []
        until = time.monotonic() + ASKING
        for option in (o for o in signature.options if o.name in case.hyper and len(o.values) > 1):
            name, value = option.name, case.hyper[option.name]
            if ran.hyper.get(name, value) != value:
                matter.append(f"{name} = {_plain(option, ran.hyper[name])} (the law's choice)")
            elif value != option.default:
                matter.append(f"{name} = {_plain(option, value)}")
            elif time.monotonic() < until:
                other = option.values[-1]
                turned = case.with_(hyper={**case.hyper, name: other})
                changed = self.violation(law, subject, turned)
                if _kind(changed) == _kind(found) and of_itself(law, changed, turned):
                    idle.append(name)
                else:
                    matter.append(f"{name} (at {_plain(option, other)} it is not seen)")
        return matter + _parts(case, ran), idle

    def needs(
        self, law: str, case: Case, found: record.Violation, matters: Sequence[str], fixed: Mapping[str, float]
    ) -> tuple[str, ...] | None:
        """What a violation needs to be seen, for telling two defects apart; None of a life, which has everything."""
        if law.endswith(".life"):
            return None
        assert self.found.signature is not None
        ran = found.pair.observed if found.pair else found.follow_up or case
        return needs.needed(law.partition(".")[2], case, ran, matters, self.found.signature.options, fixed)


LONG = {"long_run": "as_read", "long_follows": "step_follows"}
"""Laws of long runs, and what each asks of every step."""

CHOOSING = ("groups", "implementations")
"""Laws that ask cases of their own choice besides the one they are given."""

SHOWING = ("step_follows", "as_read", "implementations")
"""Laws that show in numbers that code performs another rule."""

ASKING = 8.0
"""Seconds in which it is asked of one finding which settings matter."""


def built_with(options: Sequence[Any], fixed: Mapping[str, float]) -> list[str]:
    """The options that a subject is built with in every case and that are no defaults, in words."""
    away = [o for o in options if fixed.get(o.name, o.default) != o.default]
    return [f"{o.name} = {_plain(o, fixed[o.name])}" for o in away]


def _plain(option: Any, value: float) -> str:
    told = option.plain(value)
    return f"{told:g}" if isinstance(told, float) else repr(told)


def _events(case: Case, signature: Any) -> list[str]:
    """What happened in a life, and the options it was born with that are no defaults, in words."""
    away = [o for o in signature.options if case.hyper.get(o.name, o.default) != o.default]
    told = [case.events[k][0].partition(":")[0].replace("_", " ") for k in sorted(case.events) if k]
    return [f"{o.name} = {_plain(o, case.hyper[o.name])}" for o in away] + [f"these events: {', '.join(told)}"]


def _parts(case: Case, ran: Case) -> list[str]:
    """What else a case has besides options, in words; `ran` is what the law made of it."""
    own = sorted({name for group in case.groups for name in group.hyper})
    found = []
    if len(case.groups) > 1:
        found.append(f"{len(case.groups)} groups" + (f" that differ in {', '.join(own)}" if own else ""))
    if len(case.shapes) == 1 and len(case.shapes[0]) != 1:
        found.append(f"a parameter of {len(case.shapes[0]) or 'no'} dimensions")
    if len(case.groups) == 1 and own:
        found.append(f"{needs.IN_A_GROUP}{', '.join(own)}")
    changed = sorted({name for table in (case.schedule or ran.schedule).values() for name in table})
    found += [f"{', '.join(changed)} changed between steps"] if changed else []
    found += ["a parameter without a gradient"] if case.absent else []
    if case.maximize or ran.maximize:
        found.append("maximize = True" if case.maximize else "maximize = True (the law's choice)")
    if {case.layout, case.grad_layout} != {"contiguous"}:
        found.append(f"parameters {case.layout} and gradients {case.grad_layout} in memory")
    return found


def ordinary(signature: Any) -> Iterator[Case]:
    """Cases over which a wrong formula shows: every combination of options, ascending and descending."""
    first = [*plain(signature, steps=4), *full(signature)]
    yield from first
    if signature.can_maximize:
        yield from (case.with_(maximize=True) for case in first)
    for hyper in signature.configurations:
        yield from (case.with_(hyper=dict(hyper)) for case in first[:1])
    for shape in ((), (1,), (2,), (2, 2)):
        if signature.least_dimensions <= len(shape) <= signature.most_dimensions:
            count = math.prod(shape)
            yield from (
                case.with_(shapes=(shape,), theta=case.theta[:count], grads=case.grads[:, :count]) for case in first
            )


def _kind(found: record.Violation | None) -> str:
    """What went wrong: of two errors that are raised, which class each is of too."""
    if found is None:
        return ""
    return f"{found.what} {str(found.observed).partition(':')[0]}" if found.what == RAISED else found.what


def of_itself(law: str, found: record.Violation | None, case: Case) -> bool:
    """Whether a violation is of the case as it is, and not of groups or options that the law chose besides."""
    made = found.pair.observed if found is not None and found.pair else case
    if found is None or law.rpartition(".")[2] not in CHOOSING:
        return found is not None
    return made.groups == case.groups and all(made.hyper.get(name) == value for name, value in case.hyper.items())


def _same(case: Case, other: Case) -> bool:
    """Whether two cases give an optimizer the same."""
    if case is other:
        return True
    pairs = [(getattr(case, f.name), getattr(other, f.name)) for f in fields(case)]
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)


def simpler(case: Case, defaults: Mapping[str, float]) -> Iterator[Any]:
    """Functions that make a case plainer, each in one respect."""
    yield lambda c: c.with_(maximize=False)
    yield lambda c: c.with_(groups=())
    yield _one_group
    yield lambda c: c.with_(schedule={})
    yield lambda c: c.with_(absent=frozenset())
    yield lambda c: c.with_(layout="contiguous", grad_layout="contiguous")
    yield _one_tensor
    yield _flat
    yield _short_vectors
    yield _short_sides
    yield _single_numbers
    yield _one_element
    for name in sorted({name for group in case.groups for name in group.hyper}):
        yield lambda c, name=name: c.with_(groups=tuple(_without(g, name) for g in c.groups))
        yield lambda c, name=name: _for_all(c, name)
    yield _one_group
    for name in sorted({name for table in case.schedule.values() for name in table}):
        yield lambda c, name=name: c.with_(schedule=_kept(c.schedule, name))
    for steps in (1, 2, 3):
        yield lambda c, steps=steps: c if c.steps <= steps else _steps(c, steps)
    for name in sorted(case.hyper):
        if name in defaults:
            yield lambda c, name=name: c.with_(hyper={**c.hyper, name: defaults[name]})
    for values in ((1.0,), (2.0,), (1.0, -1.0), (1.0, 0.5, -0.75, 2.0)):
        if len(values) == 1 or case.steps > 2 * len(values):
            yield lambda c, values=values: replace(c, grads=c.grads * 0 + np.resize(values, (c.steps, 1)))
    yield lambda c: replace(c, theta=c.theta * 0 + 1.0)


def _one_group(case: Case) -> Case:
    """The case with all tensors in one group, that which differs most from what the constructor is told."""
    if len(case.groups) < 2:
        return case
    most = max(case.groups, key=lambda group: sum(v != case.hyper.get(n) for n, v in group.hyper.items()))
    return case.with_(groups=(Group(tuple(range(len(case.shapes))), most.hyper),))


def _without(group: Group, name: str) -> Group:
    return Group(group.tensors, {n: v for n, v in group.hyper.items() if n != name})


def _for_all(case: Case, name: str) -> Case:
    """The case with the last group's value of an option for every group."""
    values = [group.hyper[name] for group in case.groups if name in group.hyper]
    if not values or name not in case.hyper:
        return case
    plain = tuple(_without(group, name) for group in case.groups)
    return case.with_(groups=plain, hyper={**case.hyper, name: values[-1]})


def _kept(schedule: Mapping[int, Mapping[str, float]], name: str) -> dict[int, dict[str, float]]:
    """The schedule without changes of one option."""
    rest = {step: {n: v for n, v in table.items() if n != name} for step, table in schedule.items()}
    return {step: table for step, table in rest.items() if table}


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


def _flat(case: Case) -> Case:
    """The case with every matrix, and what has more sides, a vector."""
    if all(len(shape) < 2 for shape in case.shapes):
        return case
    shapes = tuple(shape if len(shape) < 2 else (math.prod(shape),) for shape in case.shapes)
    return case.with_(shapes=shapes, layout="contiguous", grad_layout="contiguous")


def _short_vectors(case: Case) -> Case:
    """The case with two elements of each longer vector: violations that need several tensors keep them."""
    kept = [shape if len(shape) != 1 else (min(shape[0], 2),) for shape in case.shapes]
    parts = zip(case.slices, kept, strict=True)
    index = [k for part, shape in parts for k in range(part.start, part.stop)[: math.prod(shape)]]
    if len(index) == len(case.theta):
        return case
    return case.with_(shapes=tuple(kept), theta=case.theta[index], grads=case.grads[:, index])


def _short_sides(case: Case) -> Case:
    """The case with at most two rows, columns and so on of each tensor."""
    kept = tuple(tuple(min(side, 2) for side in shape) for shape in case.shapes)
    if kept == tuple(case.shapes):
        return case
    parts = zip(case.slices, case.shapes, strict=True)
    places = [np.arange(part.start, part.stop).reshape(shape)[(slice(2),) * len(shape)] for part, shape in parts]
    index = np.concatenate([place.reshape(-1) for place in places])
    return case.with_(shapes=kept, theta=case.theta[index], grads=case.grads[:, index])


def _single_numbers(case: Case) -> Case:
    """The case with one element of each tensor that has any."""
    kept = tuple((min(size, 1),) for size in case.sizes)
    index = [part.start for part in case.slices if part.stop > part.start]
    if len(index) == len(case.theta):
        return case
    return case.with_(shapes=kept, theta=case.theta[index], grads=case.grads[:, index])


def _one_element(case: Case) -> Case:
    if len(case.shapes) != 1 or len(case.shapes[0]) > 1:
        return case
    return case.with_(shapes=((1,),), theta=case.theta[:1], grads=case.grads[:, :1])
