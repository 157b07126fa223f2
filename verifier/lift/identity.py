"""Whether lifted code that reads whole tensors is a declared rule: the same expressions, or equal at exact points.

Equality at points is a check and no proof, and is labelled as one. A point where the two certainly differ refutes.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from sympy import Rational, S, Symbol

from verifier.equality.normal import Status
from verifier.equality.witness import Undecidable
from verifier.lift import expr
from verifier.lift.exact import apart, exact, shown
from verifier.lift.expr import Node
from verifier.lift.generic_state import T
from verifier.lift.lifted import Lift
from verifier.lift.matrix_numbers import Array, number
from verifier.lift.matrix_rules import RULES, MatrixRule
from verifier.lift.matrix_search import Absent
from verifier.lift.observe import Variable

POINTS = 8
_TRIES = 200  # draws of a point, those outside the lift's path conditions included


@dataclass(frozen=True)
class Identity:
    """What is known of 'a step of this code is this rule over whole tensors'.

    PROVED: every result is the very expression. REFUTED: `witness` is a rational point where `variable` differs.
    UNDECIDED: equal at `points` exact points inside the path conditions, which is no proof; or none could be tried.
    """

    rule: str
    status: Status
    points: int = 0
    variable: str = ""
    values: tuple[str, str] = ("", "")  # of the code, of the rule
    witness: Mapping[str, str] | None = None

    @property
    def agrees(self) -> bool:
        return self.status is Status.PROVED or (self.status is Status.UNDECIDED and self.points > 0)

    def to_json(self) -> dict[str, Any]:
        """Plain data: the rule, the status, how many exact points agree, the sentence."""
        return {"rule": self.rule, "status": self.status.value, "exact_points": self.points, "says": self.sentence}

    @property
    def sentence(self) -> str:
        """What may be said of it."""
        if self.status is Status.PROVED:
            return f"{self.rule} over whole tensors, proved: the expressions are the same"
        if self.status is Status.REFUTED:
            code, rule = self.values
            return f"not {self.rule}: {self.variable} is {code}, and would be {rule}, at an exact point"
        if self.points:
            return f"{self.rule} over whole tensors: checked at {self.points} exact points, not proved"
        return f"not compared with {self.rule}: no point could be evaluated"


def compare(found: Lift, rule: MatrixRule, points: int = POINTS) -> Identity | None:
    """Whether the lifted step, and the first one, are the rule's; None where state or hyperparameters do not fit."""
    if found.steps is None or found.rule is not None or len(found.steps.main.shapes) != 1 or not found.coupled:
        return None
    known = _hyper(found)
    best: Identity | None = None
    for states in _matchings(found, rule):
        try:
            pairs = _pairs(found, rule, states, known)
        except Absent:  # a hyperparameter the code has not
            return None
        identity = _decided(found, rule, pairs, points)
        if identity.agrees:
            return identity
        best = best or identity
    return best


def match(found: Lift) -> Identity | None:
    """The declared rule over whole tensors that the code agrees with; else what parts it from that of its name."""
    compared = [identity for rule in RULES if (identity := compare(found, rule)) is not None]
    name = found.target.rpartition(":")[2].lower()
    return next((i for i in compared if i.agrees), next((i for i in compared if i.rule in name), None))


def _hyper(found: Lift) -> dict[str, Any]:
    constants = {n: Fraction(repr(float(v))) for n, v in found.literal.items()}
    return {n: number(expr.const(v)) for n, v in constants.items()} | {n: number(expr.sym(n)) for n in found.hyper}


def _matchings(found: Lift, rule: MatrixRule) -> Iterator[dict[str, Variable]]:
    """The rule's state names mapped to variables of the code of the same shape, equal names first."""
    assert found.steps is not None
    main = found.steps.main
    shape = main.shapes[0]
    if len(shape) not in rule.dimensions:
        return
    free = [v for v in main.variables if not v.counter and v.owner == 0]
    wanted = {name: of(shape) for name, of in rule.state.items()}
    orders = itertools.permutations(sorted(free, key=lambda v: v.name not in wanted), len(wanted))
    for chosen in itertools.islice(orders, 24):
        states = dict(zip(wanted, chosen, strict=True))
        if all(v.shape == wanted[n] for n, v in states.items()):
            yield states


def _symbols(name: str, shape: Sequence[int]) -> Array:
    made = np.empty(tuple(shape), dtype=object)
    for k, place in enumerate(np.ndindex(*shape)):
        made[place] = number(expr.sym(name, (0, k)))
    return made


_Pair = tuple[str, Node, Node]  # what, the code's, the rule's


def _pairs(found: Lift, rule: MatrixRule, states: Mapping[str, Variable], hyper: Any) -> list[_Pair]:
    """Every result of the generic step and of the first one, by the code and by the rule."""
    assert found.steps is not None
    main, results = found.steps.main, found.steps.results
    shape = main.shapes[0]
    theta, g = _symbols("theta", shape), _symbols("g", shape)
    held = {n: _symbols(v.name, v.shape) for n, v in states.items()}
    nothing = {n: np.full(v.shape, number(expr.ZERO), dtype=object) for n, v in states.items()}
    generic = rule.step(theta, g, held, hyper, number(T))
    first = rule.step(theta, g, nothing, hyper, number(expr.ONE))
    names = {"theta": "theta", **{n: v.name for n, v in states.items()}}
    began = {"theta": main.theta_first[0], **{n: v.first for n, v in states.items()}}
    pairs = []
    for name, mine in names.items():
        for k, wanted in enumerate(generic[name].reshape(-1)):
            pairs.append((f"the new {mine}[{k}]", results[f"{mine} 0 {k}"], wanted.node))
        for k, wanted in enumerate(first[name].reshape(-1)):
            pairs.append((f"the first {mine}[{k}]", began[name][k], wanted.node))
    return pairs


def _decided(found: Lift, rule: MatrixRule, pairs: Sequence[_Pair], points: int) -> Identity:
    """All pairs at once where they are the same nodes; else each step at points inside its own path conditions."""
    if all(a is b for _, a, b in pairs):
        return Identity(rule.name, Status.PROVED)
    assert found.steps is not None
    counts = []
    for moment, conditions in (("new", found.steps.assumed), ("first", found.steps.main.first_conditions)):
        chosen = [pair for pair in pairs if pair[0].startswith(f"the {moment} ")]
        identity = _at_points(found, rule, chosen, [c.assumed for c in conditions], points)
        if identity.status is Status.REFUTED:
            return identity
        counts.append(identity.points)
    return Identity(rule.name, Status.UNDECIDED, min(counts))


def _at_points(found: Lift, rule: MatrixRule, pairs: Sequence[_Pair], guards: list[Node], points: int) -> Identity:
    nodes = [n for _, a, b in pairs for n in (a, b)]
    held = 0
    for seed in range(_TRIES):
        point = _point(expr.symbols(*nodes, *guards), found, seed)
        try:
            if not all(exact(guards, point)):
                continue
            values = exact(nodes, point)
        except Undecidable:
            continue
        for (what, _, _), one, two in zip(pairs, values[::2], values[1::2], strict=True):
            if apart(one, two):
                witness = {repr(s): str(v) for s, v in sorted(point.items(), key=lambda item: repr(item[0]))}
                return Identity(rule.name, Status.REFUTED, held, what, (shown(one), shown(two)), witness)
        held += 1
        if held == points:
            break
    return Identity(rule.name, Status.UNDECIDED, held)


def _point(symbols: set[Node], found: Lift, seed: int) -> dict[Node, Fraction]:
    """A small fraction for each symbol: hyperparameters near their defaults, state positive, the rest of any sign."""
    point = {}
    for s in sorted(symbols, key=repr):
        draw = random.Random(f"{s!r} {seed}")
        share = Fraction(draw.randint(32, 96), 64)
        name = str(s.args[0]).removesuffix("_initial")
        if s is T:
            point[s] = Fraction(draw.randint(2, 40))
        elif name in found.hyper and s.args[1] is None and math.isfinite(found.hyper[name]):
            value = share * (Fraction(repr(found.hyper[name])) or Fraction(1, 4))
            allowed = found.domain.get(Symbol(name, real=True), S.Reals)
            point[s] = value if Rational(value.numerator, value.denominator) in allowed else value / 2
        elif name in ("theta", "g"):
            point[s] = draw.choice((-1, 1)) * share
        else:
            point[s] = share * Fraction(4) ** (seed % 5 - 1)
    return point
