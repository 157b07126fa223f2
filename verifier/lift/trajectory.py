"""Two rules run side by side in numbers, to tell apart what can be told apart from the initial state."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import sympy
from sympy import Symbol

from verifier.lift import expr
from verifier.lift.evaluate import Bounded, values
from verifier.lift.expr import Node
from verifier.rule import Rule, t, transition

STEPS = 4
_POINTS = 4
_LATE = 10


class Untranslatable(Exception):
    """A sympy expression with a part no node stands for."""


def from_sympy(roots: Iterable[sympy.Basic], known: dict[sympy.Basic, Node] | None = None) -> list[Node]:
    """sympy expressions as nodes; Untranslatable names an unknown function. `known` keeps what was translated."""
    known = {} if known is None else known
    return [_node(sympy.sympify(r), known) for r in roots]


def _node(e: sympy.Basic, known: dict[sympy.Basic, Node]) -> Node:
    found = known.get(e)
    if found is None:
        found = known[e] = _translate(e, known)
    return found


_BINARY = {sympy.Add: expr.add, sympy.Mul: expr.mul, sympy.Max: expr.maximum, sympy.Min: expr.minimum,
           sympy.And: expr.both, sympy.Or: expr.either}  # fmt: skip
_NAMED = {sympy.Abs: expr.absolute, sympy.sign: expr.sign, sympy.Not: expr.negate}
_RELATIONS = {sympy.StrictLessThan: "lt", sympy.LessThan: "le", sympy.Equality: "eq", sympy.Unequality: "ne"}


def _translate(e: sympy.Basic, known: dict[sympy.Basic, Node]) -> Node:
    if isinstance(e, sympy.Rational):
        return expr.const(sympy_fraction(e))
    if isinstance(e, sympy.Float):
        return expr.const(float(e))
    if isinstance(e, Symbol):
        return expr.sym(e.name)
    if e in (sympy.true, sympy.false):
        return expr.TRUE if e == sympy.true else expr.FALSE
    if e in (sympy.oo, -sympy.oo):
        return expr.const(math.inf if e == sympy.oo else -math.inf)
    if isinstance(e, sympy.Piecewise):
        node = expr.NAN
        for value, condition in reversed(e.args):
            node = expr.where(_node(condition, known), _node(value, known), node)
        return node
    if isinstance(e, sympy.Pow):
        base, exponent = e.as_base_exp()
        if exponent.could_extract_minus_sign():
            return expr.div(expr.ONE, expr.power(_node(base, known), _node(-exponent, known)))
        return expr.power(_node(base, known), _node(exponent, known))
    if type(e) in _BINARY:
        nodes = [_node(a, known) for a in e.args]
        total = nodes[0]
        for node in nodes[1:]:
            total = _BINARY[type(e)](total, node)
        return total
    if type(e) in _NAMED:
        return _NAMED[type(e)](_node(e.args[0], known))
    if isinstance(e, sympy.StrictGreaterThan | sympy.GreaterThan):
        op = "lt" if isinstance(e, sympy.StrictGreaterThan) else "le"
        return expr.compare(op, _node(e.args[1], known), _node(e.args[0], known))
    if type(e) in _RELATIONS:
        return expr.compare(_RELATIONS[type(e)], *(_node(a, known) for a in e.args))
    name = {"ceiling": "ceil", "Mod": "mod"}.get(type(e).__name__, type(e).__name__)
    if name in ("exp", "log", "sin", "cos", "tan", "tanh", "atan", "asin", "acos", "sinh", "cosh", "erf", "floor",
                "ceil", "round", "trunc", "mod", "atan2"):  # fmt: skip
        return expr.function(name, *(_node(a, known) for a in e.args))
    raise Untranslatable(type(e).__name__)


def sympy_fraction(e: sympy.Rational) -> Fraction:
    """A sympy rational as a Fraction."""
    return Fraction(int(e.p), int(e.q))


@dataclass(frozen=True)
class Parting:
    """Where two trajectories part: the step, both values of theta, and the inputs that were used."""

    step: int
    values: tuple[float, float]
    inputs: Mapping[str, str]


def part(one: Rule, two: Rule, literal: Mapping[str, float], steps: int = STEPS) -> Parting | None:
    """The first step at which the two rules' theta certainly differ, from their initial states; None if none does.

    Both run on the same small rational inputs, several draws; `literal` gives hyperparameters either lacks. Where none
    parts them, more steps at decay rates near 1 are tried: what sets in late, as RAdam's rectification does, is seen.
    """
    for seed in range(_POINTS + 1):
        late = seed == _POINTS
        inputs = inputs_of(one, two, literal, seed, near_one=late)
        grads = [_rational(random.Random(f"g {seed} {k}"), -2, 2) for k in range(_LATE if late else steps)]
        try:
            runs = [_run(rule, inputs, grads) for rule in (one, two)]
        except Untranslatable:
            return None
        for k, ((a, ea), (b, eb)) in enumerate(zip(*runs, strict=True), 1):  # a step of each at a time
            if not math.isfinite(a) or not math.isfinite(b):
                break
            if abs(a - b) > ea + eb:
                shown = {n: str(v) for n, v in inputs.items()} | {f"g_{i}": str(g) for i, g in enumerate(grads[:k], 1)}
                return Parting(k, (a, b), shown)
    return None


def _rational(draw: random.Random, low: float, high: float) -> sympy.Rational:
    """A fraction not 0 strictly between `low` and `high`, of denominator 64 where that leaves some choice."""
    parts = 64
    while (high - low) * parts < 4:
        parts *= 64
    while True:
        value = sympy.Rational(draw.randint(int(low * parts) + 1, math.ceil(high * parts) - 1), parts)
        if value != 0:
            return value


def inputs_of(
    one: Rule, two: Rule, literal: Mapping[str, float], seed: int, near_one: bool = False
) -> dict[str, sympy.Rational]:
    """theta and every hyperparameter of two rules at a small rational, inside the sets of both.

    `near_one`: those that range over [0, 1) lie between 7/8 and 1.
    """
    sets: dict[str, sympy.Set] = {}
    for rule in (one, two):
        for s, values_ in rule.hyper.items():
            both = sets[s.name].intersect(values_) if s.name in sets else values_
            sets[s.name] = values_ if both is sympy.S.EmptySet else both  # one name for two things: they part somewhere
    inputs: dict[str, sympy.Rational] = {}
    for name, values_ in sets.items():
        draw = random.Random(f"{name} {seed}")
        low = 0.0 if values_.inf == -sympy.oo else float(values_.inf)
        high = low + 2 if values_.sup == sympy.oo else min(float(values_.sup), low + 3)
        if high <= low and values_.inf == -sympy.oo:
            low = high - 2
        if high <= low:
            inputs[name] = sympy.Rational(values_.sup)
            continue
        if near_one and values_.sup == 1 and values_.right_open:
            low = max(low, 0.875)
        inputs[name] = _rational(draw, low, high)
    inputs.update({n: sympy.Rational(v) for n, v in literal.items()})
    return {**inputs, "theta": _rational(random.Random(f"theta {seed}"), -2, 2)}


def _run(rule: Rule, inputs: Mapping[str, sympy.Rational], grads: Iterable[sympy.Rational]) -> Iterator[Bounded]:
    """theta after each step, with its error bound."""
    lines = _lines(rule)
    return (now[rule.theta.name] for now in _steps(rule, lines, inputs, grads))


def trajectory(
    rule: Rule, inputs: Mapping[str, sympy.Rational], grads: Iterable[sympy.Rational]
) -> list[dict[str, Bounded]]:
    """theta and every state variable after each step, with error bounds."""
    return list(_steps(rule, _lines(rule), inputs, grads))


@cache
def _lines(rule: Rule) -> tuple[tuple[str, ...], tuple[Node, ...], tuple[Node, ...]]:
    """What a step assigns, what to, and the initial state, as nodes; kept, as rules are run again and again."""
    after = transition(rule)
    return tuple(s.name for s in after), tuple(from_sympy(after.values())), tuple(from_sympy(rule.state.values()))


def _steps(
    rule: Rule,
    lines: tuple[tuple[str, ...], tuple[Node, ...], tuple[Node, ...]],
    inputs: Mapping[str, sympy.Rational],
    grads: Iterable[sympy.Rational],
) -> Iterator[dict[str, Bounded]]:
    names, nodes, initial = lines
    point: dict[Node, float | Bounded] = {expr.sym(n): float(v) for n, v in inputs.items()}
    start = values(initial, point)
    now: dict[str, Bounded] = {s.name: v for s, v in zip(rule.state, start, strict=True)}
    now[rule.theta.name] = (float(inputs["theta"]), 0.0)
    for k, grad in enumerate(grads, 1):
        here = {**point, **{expr.sym(n): v for n, v in now.items()}}
        here[expr.sym(rule.grad.name)] = float(grad)
        here[expr.sym(t.name)] = float(k)
        now = dict(zip(names, values(nodes, here), strict=True))
        yield now


class Lines:
    """Lines as nodes, and what they are at points: candidates differ in a line or two, and share all before those."""

    def __init__(self) -> None:
        self.nodes: dict[sympy.Basic, Node] = {}
        self.symbols: dict[Node, tuple[Node, ...]] = {}
        self.values: dict[tuple[Node, tuple[float | Bounded | None, ...]], Bounded] = {}

    def line(self, e: sympy.Basic) -> Node:
        """An expression as a node."""
        return from_sympy([e], self.nodes)[0]

    def value(self, line: Node, now: Mapping[Node, float | Bounded]) -> Bounded:
        """A line where its symbols have these values."""
        if line not in self.symbols:
            self.symbols[line] = tuple(n for n in expr.postorder([line]) if n.op == "sym")
        key = line, tuple(now.get(symbol) for symbol in self.symbols[line])
        if key not in self.values:
            self.values[key] = values([line], now)[0]
        return self.values[key]


def stepped(
    rule: Rule, inputs: Mapping[str, sympy.Rational], grads: Sequence[sympy.Rational], known: Lines
) -> Iterator[Bounded]:
    """theta after each step, its lines taken one after the other; `known` keeps what was translated and computed."""
    lines = [(expr.sym(x.name), known.line(e)) for x, e in rule.step]
    now: dict[Node, float | Bounded] = {expr.sym(n): float(v) for n, v in inputs.items()}
    start = [known.value(known.line(e), now) for e in rule.state.values()]
    now |= {expr.sym(s.name): v for s, v in zip(rule.state, start, strict=True)}
    for k, grad in enumerate(grads, 1):
        now |= {expr.sym(rule.grad.name): float(grad), expr.sym(t.name): float(k)}
        for x, line in lines:
            now[x] = known.value(line, now)
        theta = now[expr.sym(rule.theta.name)]
        assert isinstance(theta, tuple)
        yield theta
