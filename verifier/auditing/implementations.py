"""Whether every implementation of a class performs the for-loop's rule, under each setting of its switches, by proof.

What is read out of the foreach, differentiable and capturable code is compared with what is read out of the for-loop,
so a mistake under one option of one path is found without a run that happens to take it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sympy
from sympy import Interval, S, Symbol

from verifier.auditing.read import Read
from verifier.auditing.reading_time import TooLong, limited
from verifier.lift import expr, induction, matching, same
from verifier.rule import RuleError
from verifier.subjects.torch_forms import Forms
from verifier.subjects.torch_sandbox import Child, Died
from verifier.subjects.torch_signature import Signature

OTHERS = ("foreach", "differentiable", "capturable")

Setting = tuple[Mapping[str, float], dict[str, Any]]
"""Values of the options, and further arguments of the constructor."""

SETTINGS = {"smoke": 4, "ci": 12, "nightly": 24}
"""How many settings of the switches each implementation is read under."""

PATIENCE = 3.0
"""Seconds of a core that comparing an implementation under one setting may take; most take a few tenths of one."""

LARGEST = 100  # nodes of two expressions beyond which algebra takes minutes, and points alone are asked


@contextlib.contextmanager
def apart(known: Signature, forms: Forms, profile: str) -> Iterator[Callable[[], list[Read]]]:
    """Begins to compare implementations in a forked child, and yields what returns what comparing them said.

    While the child reads most settings, this process may read other things, with another core. What the child read is
    in `forms` then. Where the child ends without an answer, this process does its part, and meets what ended it.
    """
    settings = list(_settings(known, SETTINGS[profile]))
    first = len(settings) // 3
    mine, others = settings[:first], settings[first:]

    def reading() -> tuple[list[Read], dict[Any, Any]]:
        with limited():
            return proofs(known, forms, others), forms.readings

    def compared() -> list[Read]:
        found = proofs(known, forms, mine)
        answer = child.answer()
        if answer == (TooLong.__name__, ""):
            raise TooLong
        if isinstance(answer, Died) or not isinstance(answer[0], list):
            return worst([*found, *proofs(known, forms, others)])
        told, readings = answer
        forms.know(readings)
        return worst([*found, *told])

    if not _names(known):
        yield list
        return
    with Child(reading) as child:
        yield compared


def proofs(known: Signature, forms: Forms, settings: Iterable[Setting]) -> list[Read]:
    """What comparing each implementation with the for-loop under `settings` said; `forms` reads them."""
    settings = list(settings)
    answers = [_soon(forms, known, name, *setting) for name in _names(known) for setting in settings]
    return worst([answer for answer in answers if answer is not None])


def performs(known: Signature, forms: Forms, compared: Iterable[Read], described: Mapping[str, Any]) -> dict[str, str]:
    """The rules of the catalogue that implementations perform which the for-loop departs from, and it does not.

    Then what is wrong is the for-loop, most likely, though all others are compared with it.
    """
    if described["rule_source"] in ("matched", "declared"):
        return {}
    found: dict[str, str] = {}
    plain = [hyper for hyper, _ in _settings(known, SETTINGS["smoke"])]
    for name in (one.subject for one in compared if one.subject in OTHERS[:2] and one.status == "refuted"):
        for hyper in plain:
            if (rule := _followed(forms, name, hyper)) and not _followed(forms, "forloop", hyper):
                found.setdefault(name, rule)
    return found


def _followed(forms: Forms, name: str, hyper: Mapping[str, float]) -> str:
    """The rule of the catalogue that an implementation follows under some options; empty where it follows none."""
    read = forms.lift(name, hyper)
    if read is None or read.rule is None or read.coupled:
        return ""
    proof = matching.match(read)
    return proof.rule if proof is not None and not proof.maps else ""


def worst(answers: Sequence[Read]) -> list[Read]:
    """Of the answers about each implementation, the first of the worst kind."""
    found: dict[str, Read] = {}
    for answer in sorted(answers, key=lambda read: ("refuted", "undecided", "proved").index(read.status)):
        found.setdefault(answer.subject, answer)
    return [found[name] for name in OTHERS if name in found]


def _names(known: Signature) -> list[str]:
    """The implementations of a class that can be read, besides its for-loop."""
    return [
        name
        for name in OTHERS
        if (name in known.switches if name == "capturable" else name in known.implementations)
        and (name == "capturable" or name not in known.unavailable)
    ]


def _settings(known: Signature, most: int) -> Iterator[Setting]:
    """Settings whose switches, or whose numbers that are zero, differ; every second one climbs, where the class can.

    The defaults; everything on that can be, alone and with each switch turned; then what cases are drawn from.
    """
    seen = set()
    switches = [o for o in known.options if o.kind != "float"]
    on = {o.name: o.values[1] if o.default == 0 and o.kind == "float" and len(o.values) > 1 else o.default
          for o in known.options}  # fmt: skip
    turned = [{**on, o.name: o.values[1]} for o in switches if len(o.values) > 1]
    for hyper in (known.defaults, on, *turned, *known.plain, *known.configurations):
        off = tuple(hyper[o.name] == 0 for o in known.options if o.kind == "float")
        key = (tuple(hyper[o.name] for o in switches), off)
        if key in seen:
            continue
        seen.add(key)
        climbing = known.can_maximize and len(seen) % 2 == 0
        yield hyper, {"maximize": True} if climbing else {}
        if len(seen) >= most:
            return


def _soon(forms: Forms, known: Signature, name: str, *setting: Any) -> Read | None:
    """What `_compared` returns; undecided where it takes too long, so that the other settings are compared too."""
    try:
        with limited(PATIENCE):
            return _compared(forms, known, name, *setting)
    except TooLong:
        return Read(name, "of the for-loop", "undecided", f"comparing them takes more than {PATIENCE:g} seconds")


def _compared(
    forms: Forms, known: Signature, name: str, hyper: Mapping[str, float], extra: dict[str, Any]
) -> Read | None:
    """The for-loop and one implementation under one setting; None where one of them cannot be read."""
    loop = forms.lift("forloop", hyper, extra)
    if name == "capturable":
        other = forms.lift("forloop", hyper, {**extra, "capturable": True})
    else:
        other = forms.lift(name, hyper, extra)
    if loop is None or other is None:
        return None
    words = [f"{o.argument} = {o.plain(hyper[o.name])}" for o in known.options
             if o.kind != "float" and hyper[o.name] != o.default]  # fmt: skip
    words += [f"{name_} = {value}" for name_, value in extra.items()]
    setting = f" where {', '.join(words)}" if words else ""
    if loop.coupled or other.coupled:
        return _by_elements(loop, other, name, known.name, setting)
    if loop.rule is None or other.rule is None:
        return None
    try:
        proof = induction.prove(other, loop.rule)
    except (RuleError, ArithmeticError, ValueError, TypeError):  # not comparable
        return None
    told = proof.difference if proof.status.value == "refuted" else proof.method
    return Read(name, f"of the for-loop{setting}", proof.status.value, told)


def _by_elements(loop: Any, other: Any, name: str, rule: str, setting: str) -> Read | None:
    """The same of steps that read whole tensors: every new value as an expression over all elements."""
    if loop.steps is None or other.steps is None:
        return None
    mine, theirs = other.steps.results, loop.steps.results
    parameters = sorted(k for k in mine if k.startswith("theta ") and k in theirs)
    if not parameters or expr.opaque_leaves(*(mine[k] for k in parameters), *(theirs[k] for k in parameters)):
        return None
    names = {s.args for k in parameters for s in expr.symbols(mine[k])}
    if names != {s.args for k in parameters for s in expr.symbols(theirs[k])}:
        return None  # state of other names: nothing says which is which
    space, words = _averaging(loop.domain)
    for key in parameters:
        if mine[key] is not theirs[key] and same.differ(mine[key], theirs[key], domain=space) is not None:
            told = f"in {key.split(' ')[0]}, the code has another expression over all elements than the for-loop"
            return Read(name, f"of the for-loop{setting}", "refuted", told)
    proved = all(
        mine[k] is theirs[k] or (expr.size(mine[k], theirs[k]) <= LARGEST and same.same(theirs[k], mine[k], space))
        for k in parameters
    )
    told = f"expressions of {rule}{words}"
    return Read(name, f"of the for-loop{setting}", "proved" if proved else "undecided", told)


def _averaging(domain: Mapping[Symbol, sympy.Set]) -> tuple[dict[Symbol, sympy.Set], str]:
    """The domain with the decay rates of averages below one, where no constructor sees to that; and those, in words.

    With others an average is none, and code that divides by 1 - beta**t under a root is another one.
    """
    free = [s for s in domain if re.fullmatch(r"beta\d*", s.name) and domain[s].sup == S.Infinity]
    words = f", where {', '.join(sorted(s.name for s in free))} < 1" if free else ""
    return {**domain, **{s: Interval.Ropen(0, 1) for s in free}}, words


__all__ = ["Read", "apart", "proofs", "worst"]
