"""The rule an optimizer's code performs, written as a person would write it: text, LaTeX, plain data."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Symbol

from verifier.equality.normal import Status
from verifier.lift.identity import Identity, match
from verifier.lift.induction import LiftProof
from verifier.lift.lifted import Lift, lift
from verifier.lift.matching import nearest
from verifier.lift.semantics import WORDS
from verifier.printing import rule_latex, rule_text, to_text

_WIDTH = 110
_BRANCHES = 8  # path conditions that are written out


@dataclass(frozen=True)
class Explanation:
    """A lift and the nearest rule of the catalogue, with the proof that it is that rule or the difference from it."""

    lifted: Lift
    nearest: LiftProof | None
    whole: Identity | None = None  # of a step that reads whole tensors: the declared rule it agrees with, or parts from

    @property
    def text(self) -> str:
        """The explanation as lines of text."""
        return "\n".join(_lines(self.lifted, self.nearest, self.whole)) + "\n"

    @property
    def latex(self) -> str:
        """The rule as an align* environment; a LaTeX comment where there is no rule of one element."""
        if self.lifted.rule is None:
            return f"% {self.lifted.target}: {_without_rule(self.lifted)}\n"
        return rule_latex(self.lifted.rule) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The targets[] entry of the results file."""
        entry = self.lifted.to_json()
        found = self.nearest
        matched = found is not None and found.proved
        entry["rule"] = found.rule if found is not None and matched else None
        entry["rule_source"] = "matched" if matched else "lifted" if self.lifted.rule is not None else None
        if found is None:
            entry["proof"] = {"status": "not-applicable", "difference": ""}
        else:
            entry["proof"] = found.to_json()
        if self.whole is not None:
            entry["whole_tensors"] = self.whole.to_json()
        return entry


def explain(target: str | Callable[..., Any], implementation: str = "forloop", **options: Any) -> Explanation:
    """What the code of `target` does, and which catalogue rule it follows or is nearest to."""
    found = lift(target, implementation, **options)
    return Explanation(found, nearest(found), match(found))


def _lines(found: Lift, proof: LiftProof | None, whole: Identity | None) -> list[str]:
    lines = [f"{found.target}, {found.implementation}, {found.ops} tensor operations a step", ""]
    if found.rule is None:
        lines += _wrapped(_without_rule(found))
        if found.formula:
            lines += _wrapped(found.formula)
    else:
        lines += textwrap.indent(rule_text(found.rule), "    ").split("\n")
    lines += [""]
    lines += _wrapped(f"Weight decay: {found.decay_words or WORDS[found.weight_decay]}.")
    lines += _wrapped(_relation(found, proof))
    if whole is not None:
        lines += _wrapped(f"Rule: {whole.sentence}.")
    lines += [line for part in _remarks(found) for line in _wrapped(part)]
    return lines


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_long_words=False) if text else []


def _without_rule(found: Lift) -> str:
    if found.coupled == "places":
        return "lifted, but no rule of one element: a step depends on where in its tensor an element stands"
    if found.coupled:
        return f"lifted, but no rule of one element: a step reads other {found.coupled} as well"
    return f"{'partly' if found.status == 'partial' else 'not'} lifted: {found.stopped_by}"


def _relation(found: Lift, proof: LiftProof | None) -> str:
    """The nearest rule of the catalogue in a sentence."""
    if proof is None:
        return ""
    if proof.proved:
        kept = proof.maps or proof.states or {}
        renamed = ", ".join(f"{mine} for {theirs}" for theirs, mine in kept.items() if mine != theirs)
        named = f" (state: {renamed})" if renamed else ""
        under = f", where {' and '.join(proof.where)}" if proof.where else ""
        return f"Rule: {proof.rule}, proved for every number of steps{under}{named}."
    known = f" It equals the known mistake {proof.mutant}." if proof.mutant else ""
    if proof.status is Status.REFUTED:
        return f"Nearest rule: {proof.rule}; the new {proof.variable} differs by {proof.difference}.{known}"
    return f"Nearest rule: {proof.rule}; whether it is that rule is undecided ({proof.method})."


def _remarks(found: Lift) -> list[str]:
    parts = []
    if found.rule is not None and found.rule.hyper:
        shown = [f"{s} in {interval(found.domain[s])}{_default(found.hyper, s)}" for s in found.rule.hyper]
        parts.append(f"Hyperparameters: {', '.join(shown)}.")
    settings = {**{n: 0 for n in found.literal}, **found.fixed}
    settings.pop("foreach", None)
    if settings:
        parts.append(f"Read with {', '.join(f'{n}={v!r}' for n, v in settings.items())}.")
    for name in found.captured:
        parts.append(f"{name}_initial is {name} as the optimizer was built with it: no scheduler changes that.")
    if found.scope:
        parts.append(f"Only for {found.scope}: others follow another step.")
    branches = list(zip(found.path_conditions, found.path_sites, strict=True))
    parts += [f"Only where {to_text(condition)} ({site})." for condition, site in branches[:_BRANCHES]]
    if len(branches) > _BRANCHES:
        parts.append(f"Only on one side of {len(branches) - _BRANCHES} further branches.")
    if found.checked:
        parts.append(f"Checked: {found.checked} values that the real code computed.")
    return parts


def _default(defaults: Mapping[str, float], symbol: Symbol) -> str:
    return f" (default {defaults[symbol.name]:g})" if symbol.name in defaults else ""


def interval(values: sympy.Set) -> str:
    """An interval in the notation [a, b)."""
    left = "(" if values.left_open or values.inf == -sympy.oo else "["
    right = ")" if values.right_open or values.sup == sympy.oo else "]"
    low, high = ("-oo" if values.inf == -sympy.oo else str(values.inf), "oo" if values.sup == sympy.oo else values.sup)
    return f"{left}{low}, {high}{right}"
