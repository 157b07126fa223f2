"""LAMB written otherwise: conventions and known mistakes of the step inside, and mistakes in the norms around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sympy import Integer, Interval, Symbol, sqrt

from verifier.conventions import ASPECTS
from verifier.equality.normal import Status
from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.identity import POINTS, Identity, compare
from verifier.lift.lifted import Lift
from verifier.lift.matrix_rules import RULES, Array, MatrixRule, Number, norm, number, smaller
from verifier.lift.trajectory import Untranslatable, from_sympy
from verifier.mutants import made
from verifier.rule import Rule, RuleError, t

FIRST = 2
"""Points at which most of what the code is not is told from it."""


@dataclass(frozen=True)
class Variant:
    """A rule over whole tensors written otherwise: `wrong` where nobody does so on purpose."""

    name: str
    says: str
    wrong: bool
    rule: MatrixRule

    @property
    def sentence(self) -> str:
        """What may be said of code that agrees with it."""
        if self.wrong:
            return f"lamb over whole tensors, but {self.says}: checked at {POINTS} exact points, not proved"
        return f"lamb over whole tensors, {self.says}: checked at {POINTS} exact points, not proved"


def variant(found: Lift, refuted: Identity) -> Variant | None:
    """What code that is named after LAMB, and is not LAMB, is of it; None where it is none of what is known.

    An option that LAMB has not may be the largest ratio that is allowed.
    """
    if refuted.rule != "lamb" or refuted.status is not Status.REFUTED:
        return None
    caps = [name for name in found.hyper if name not in {s.name for s in INSIDE.hyper}]
    for one in variants(caps[0] if len(caps) == 1 else ""):
        near = compare(found, one.rule, FIRST)
        if near is not None and near.agrees and (sure := compare(found, one.rule)) is not None and sure.agrees:
            return one
    return None


def variants(cap: str = "") -> Iterator[Variant]:
    """What may be written in the place of LAMB, conventions first; `cap`: the option that no trust ratio exceeds."""
    plain = next(rule for rule in RULES if rule.name == "lamb")
    capped = f" with the trust ratio at most {cap}" if cap else ""
    ways = ((capped, _plainly), (f" with eps added to the norm of the step{capped}", _with_eps))

    def written(name: str, says: str, wrong: bool, inside: Rule, trust: Trust) -> Variant:
        return Variant(name, says, wrong, replace(plain, step=_around(inside, trust, cap)))

    for words, way in ways:
        yield written("as_published", words.strip(), False, INSIDE, way)
    edits = [(edit, False) for aspect in ASPECTS for edit in aspect.conventions(INSIDE)]
    edits += [(edit, True) for aspect in ASPECTS for edit in aspect.slips(INSIDE)]
    for edit, wrong in edits:
        try:
            inside = made(INSIDE, edit)
        except RuleError:
            continue
        for words, way in ways:
            yield written(edit.name, edit.says + (words if not wrong else ""), wrong, inside, way)
    for name, (says, trust) in TRUSTING.items():
        yield written(name, says, True, INSIDE, trust)


def _symbols(names: str) -> tuple[Symbol, ...]:
    return tuple(Symbol(name, real=True) for name in names.split())


_theta, _g, _lr, _beta1, _beta2, _eps, _decay = _symbols("theta g lr beta1 beta2 eps weight_decay")
_m, _v, _denom, _update = _symbols("exp_avg exp_avg_sq denom update")
INSIDE = Rule(
    name="lamb",
    cite="You et al. 2020, Algorithm 2, arXiv:1904.00962",
    theta=_theta,
    grad=_g,
    hyper={
        _lr: Interval(0, 1),
        _beta1: Interval.Ropen(0, 1),
        _beta2: Interval.Ropen(0, 1),
        _eps: Interval(0, 1),
        _decay: Interval(0, 1),
    },
    state={_m: Integer(0), _v: Integer(0)},
    step=(
        (_m, _beta1 * _m + (1 - _beta1) * _g),
        (_v, _beta2 * _v + (1 - _beta2) * _g**2),
        (_denom, sqrt(_v) / sqrt(1 - _beta2**t) + _eps),
        (_update, _m / (1 - _beta1**t) / _denom + _decay * _theta),
        (_theta, _theta - _lr * _update),
    ),
)
"""LAMB's step before it is scaled by the ratio of two norms: what each element does by itself."""

Line = Mapping[str, Array]
Trust = Callable[[Line], tuple[Any, Array]]
"""The ratio by which a step is scaled, and the step, of what was computed for each element."""


def _step(line: Line) -> Array:
    return (line["before"] - line["theta"]) / line["lr"]


def _plainly(line: Line) -> tuple[Any, Array]:
    return norm(line["before"]) / norm(_step(line)), _step(line)


def _with_eps(line: Line) -> tuple[Any, Array]:
    return norm(line["before"]) / (norm(_step(line)) + line["eps"]), _step(line)


def _undecayed(line: Line) -> Array:
    return line["exp_avg"] / (line["corrected"] * line["denom"])


TRUSTING: Mapping[str, tuple[str, Trust]] = {
    "trust_inverted": (
        "the trust ratio is upside down",
        lambda line: (norm(line["update"]) / norm(line["before"]), line["update"]),
    ),
    "trust_of_undecayed": (
        "the trust ratio divides by the norm of the step without weight decay",
        lambda line: (norm(line["before"]) / norm(_undecayed(line)), line["update"]),
    ),
    "trust_of_gradient": (
        "the trust ratio divides by the norm of the gradient",
        lambda line: (norm(line["before"]) / norm(line["g"]), line["update"]),
    ),
    "trust_squared": (
        "the trust ratio is squared",
        lambda line: (
            (line["before"] * line["before"]).sum() / (line["update"] * line["update"]).sum(),
            line["update"],
        ),
    ),
    "trust_of_parameters": (
        "the trust ratio is the norm of the parameters, divided by nothing",
        lambda line: (norm(line["before"]), line["update"]),
    ),
    "trust_of_step": (
        "the trust ratio is one over the norm of the step, without that of the parameters",
        lambda line: (1 / norm(line["update"]), line["update"]),
    ),
    "decay_untrusted": (
        "weight decay is not scaled by the trust ratio",
        lambda line: (
            Number(expr.ONE),
            norm(line["before"]) / norm(_undecayed(line)) * _undecayed(line) + line["weight_decay"] * line["before"],
        ),
    ),
}
"""Mistakes in the norms, by name: the words, the ratio and the step."""


def _around(inside: Rule, trust: Trust, cap: str) -> Callable[[Array, Array, Line, Any, Number], dict[str, Array]]:
    """The step over whole tensors whose elements do `inside`, and which is then scaled by `trust`, at most by `cap`."""
    known: dict[Any, Node] = {}

    def step(theta: Array, g: Array, state: Line, h: Any, count: Number) -> dict[str, Array]:
        shared = {expr.sym(s.name): h[s.name].node for s in inside.hyper} | {expr.sym(t.name): count.node}
        began = {"theta": theta, "g": g, **state}
        line = {name: np.empty(theta.shape, dtype=object) for name in (*began, *(x.name for x, _ in inside.step))}
        for place in np.ndindex(*theta.shape):
            now = {**shared, **{expr.sym(name): array[place].node for name, array in began.items()}}
            for target, value in inside.step:
                now[expr.sym(target.name)] = expr.rebuild(_translated(value, known), now)[0]
            for name, array in line.items():
                array[place] = number(now[expr.sym(name)])
        line |= {"before": theta, "corrected": 1 - h["beta1"] ** count}
        line |= {name: h[name] for name in ("lr", "weight_decay", "eps")}
        ratio, moved = trust(line)
        ratio = smaller(ratio, h[cap]) if cap else ratio
        return {"theta": theta - h["lr"] * ratio * moved, **{name: line[name] for name in state}}

    return step


def _translated(line: Any, known: dict[Any, Node]) -> list[Node]:
    try:
        return from_sympy([line], known)
    except Untranslatable:
        raise KeyError(line) from None  # `compare` takes this for a rule that does not fit
