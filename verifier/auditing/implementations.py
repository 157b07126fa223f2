"""Whether every implementation of a class performs the for-loop's rule, under each setting of its switches, by proof.

What is read out of the foreach, differentiable and capturable code is compared with what is read out of the for-loop,
so a mistake under one option of one path is found without a run that happens to take it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from verifier.auditing.read import Read
from verifier.lift import expr, induction, same
from verifier.rule import RuleError
from verifier.subjects.torch_forms import Forms
from verifier.subjects.torch_signature import Signature

SETTINGS = {"smoke": 4, "ci": 12, "nightly": 24}
"""How many settings of the switches each implementation is read under."""

LARGEST = 100  # nodes of two expressions beyond which algebra takes minutes, and points alone are asked


def proofs(known: Signature, forms: Forms, profile: str) -> list[Read]:
    """What comparing each implementation with the for-loop said: one answer an implementation; `forms` reads them."""
    found = []
    for name in ("foreach", "differentiable", "capturable"):
        if name == "capturable" and name not in known.switches:
            continue
        if name != "capturable" and (name not in known.implementations or name in known.unavailable):
            continue
        answers = [_compared(forms, known, name, *setting) for setting in _settings(known, SETTINGS[profile])]
        told = [answer for answer in answers if answer is not None]
        if told:
            found.append(min(told, key=lambda read: ("refuted", "undecided", "proved").index(read.status)))
    return found


def _settings(known: Signature, most: int) -> Iterator[tuple[Mapping[str, float], dict[str, Any]]]:
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
    for key in parameters:
        if mine[key] is not theirs[key] and same.differ(mine[key], theirs[key]) is not None:
            return Read(name, f"of the for-loop{setting}", "refuted", f"{key} after a step is another expression")
    proved = all(
        mine[k] is theirs[k] or (expr.size(mine[k], theirs[k]) <= LARGEST and same.same(mine[k], theirs[k]))
        for k in parameters
    )
    return Read(name, f"of the for-loop{setting}", "proved" if proved else "undecided", f"expressions of {rule}")


__all__ = ["Read", "proofs"]
