"""Two rules whose states differ in form: kept scaled, negated, as a root or square, or solved for in closed form.

A candidate map state_rule = c(t) * state_code**p is read off one step from zero state, screened in numbers, and only
then proved: equal after the first step, and from any mapped state one step leads to mapped state.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy
from sympy import Expr, Rational, Symbol

from verifier.equality.normal import equal
from verifier.lift import expr
from verifier.lift.evaluate import Bounded, values
from verifier.lift.trajectory import STEPS, Untranslatable, from_sympy, inputs_of, trajectory
from verifier.printing import to_text
from verifier.rule import Rule, invariants, t, transition

_POWERS = (Rational(1), Rational(2), Rational(1, 2))
_COMBINATIONS = 24
_DRAWS = 2


@dataclass(frozen=True)
class Map:
    """`rule` = `factor`(t) * `code`**`power`, after step t: a state variable of the rule from one of the code."""

    rule: Symbol
    code: Symbol
    factor: Expr
    power: Expr

    def image(self, value: Expr) -> Expr:
        """The rule's variable after step t, where the code's is `value`."""
        return self.factor * value**self.power

    @property
    def before(self) -> Expr:
        """The rule's variable before step t."""
        return self.factor.subs(t, t - 1) * self.code**self.power

    @property
    def text(self) -> str:
        return to_text(self.image(self.code))


def solved(rule: Rule) -> Rule:
    """The rule without the state variables that are functions of t alone: c**t, a + b*t, and their like.

    Each closed form is proved by induction before it is used.
    """
    once = transition(rule)
    for s, initial in rule.state.items():
        after = once[s]
        if after.free_symbols - {s, t, *rule.hyper} or rule.theta in sympy.sympify(initial).free_symbols:
            continue
        rate = sympy.diff(after, s)
        added = sympy.expand(after - rate * s)
        if {s, t} & (rate.free_symbols | added.free_symbols):
            continue
        rate = sympy.expand(rate)
        closed = (
            initial + added * t if rate == 1
            else rate**t * initial + (added * (1 - rate**t) / (1 - rate) if added != 0 else 0)
        )  # fmt: skip
        held = closed.subs(t, t - 1)
        if (
            equal(held.subs(t, 1), sympy.sympify(initial), rule.hyper).proved
            and equal(after.xreplace({s: held}), closed, rule.hyper).proved
        ):
            return solved(_without(rule, s, held))
    return rule


def _without(rule: Rule, s: Symbol, held: Expr) -> Rule:
    """The rule with a state variable replaced by what it is before step t."""
    step = tuple((x, e.xreplace({s: held})) for x, e in transition(rule).items() if x != s)
    read = {x for _, e in step for x in e.free_symbols}
    state = {x: e for x, e in rule.state.items() if x != s}
    read |= {x for e in state.values() for x in sympy.sympify(e).free_symbols}
    used = {x: d for x, d in rule.hyper.items() if x in read}
    return replace(rule, state=state, hyper=used, step=_together(step, rule.theta))


def _together(step: Sequence[tuple[Symbol, Expr]], theta: Symbol) -> tuple[tuple[Symbol, Expr], ...]:
    """Simultaneous assignments as lines: every new value under a name of its own first."""
    fresh = {x: Symbol(f"{x.name}_next", real=True) for x, _ in step}
    return (*((fresh[x], e) for x, e in step), *((x, fresh[x]) for x, _ in step if x != theta), (theta, fresh[theta]))


def maps(code: Rule, declared: Rule) -> Iterable[tuple[Map, ...]]:
    """Ways to see every state variable of `declared` in one of `code`, each borne out by a few steps in numbers."""
    try:
        runs = [_numbers(code, declared, draw) for draw in range(_DRAWS)]
    except Untranslatable:
        return
    found = [
        [m for s in code.state for m in _candidates(code, declared, s, r) if _borne_out(m, runs)]
        for r in declared.state
    ]  # fmt: skip
    for chosen in itertools.islice(itertools.product(*found), _COMBINATIONS):
        if len({m.code for m in chosen}) == len(chosen):
            yield chosen


def _candidates(code: Rule, declared: Rule, s: Symbol, r: Symbol) -> Iterable[Map]:
    """Maps that hold for the step from zero state, where all that is new comes from the gradient."""
    for grad, theta in ((1, 0), (1, 1)):
        ends = []
        for rule, name in ((code, s), (declared, r)):
            here = {**dict.fromkeys(rule.state, sympy.Integer(0)), rule.grad: sympy.Integer(grad)}
            end = transition(rule)[name].xreplace({**here, rule.theta: sympy.Integer(theta)})
            ends.append(end.xreplace({sympy.Eq(t, 1): sympy.false}))
        mine, theirs = ends
        if mine.is_zero or mine.has(sympy.nan, sympy.zoo, sympy.oo) or theirs.has(sympy.nan, sympy.zoo, sympy.oo):
            continue
        for power in _POWERS:
            factor = _short(theirs / mine**power)
            if factor != 0 and not factor.free_symbols - {t, *code.hyper, *declared.hyper}:
                yield Map(r, s, factor, power)
        return


def _short(factor: Expr) -> Expr:
    """A factor as short as cheap rewriting makes it; beta**(t - 1) is seen as beta**t / beta on the way."""
    factor = sympy.powsimp(sympy.sympify(factor))
    if factor.count_ops() < 200 and not factor.has(sympy.Piecewise, sympy.Max, sympy.Min):
        apart = factor.replace(
            lambda e: e.is_Pow and t in e.exp.free_symbols, lambda e: e.base**t * e.base ** sympy.expand(e.exp - t)
        )
        return min((factor, sympy.powsimp(sympy.factor(sympy.cancel(apart)))), key=lambda e: e.count_ops())
    return factor


Numbers = tuple[Mapping[str, Rational], list[dict[str, Bounded]], list[dict[str, Bounded]]]


def _numbers(code: Rule, declared: Rule, draw: int) -> Numbers:
    inputs = inputs_of(code, declared, {}, draw)
    grads = [Rational(7 * k % 5 - 2 or 3, 4) + Rational(draw, 9) for k in range(1, STEPS + 1)]
    return inputs, trajectory(code, inputs, grads), trajectory(declared, inputs, grads)


def _borne_out(m: Map, runs: Iterable[Numbers]) -> bool:
    """Whether nothing certainly contradicts the map in a few steps."""
    for inputs, mine, theirs in runs:
        try:
            node = from_sympy([m.image(m.code)])
        except Untranslatable:
            return False
        for k, (one, two) in enumerate(zip(mine, theirs, strict=True), 1):
            point = {expr.sym(n): float(v) for n, v in inputs.items()} | {expr.sym("t"): float(k)}
            ((seen, error),) = values(node, {**point, expr.sym(m.code.name): one[m.code.name]})
            wanted, slack = two[m.rule.name]
            if not math.isfinite(seen) or not math.isfinite(wanted):
                continue
            if abs(seen - wanted) > error + slack:
                return False
    return True


def shown(code: Rule, declared: Rule, chosen: Sequence[Map], where: tuple[sympy.Basic, ...]) -> str:
    """'' where the code, seen through the maps, is proved to follow the rule; else what could not be shown."""
    domain = {**code.hyper, **declared.hyper, **invariants(code)}
    renamed = {code.theta: declared.theta, code.grad: declared.grad}
    later = {sympy.Eq(t, 1): sympy.false}
    mine = {s: e.xreplace(renamed) for s, e in transition(code).items()}
    theirs = transition(declared)
    seen = {m.rule: m.image(mine[m.code]) for m in chosen}
    seen = {**seen, declared.theta: mine[code.theta]}
    start = {**{s: sympy.sympify(e) for s, e in code.state.items()}, sympy.Eq(t, 1): sympy.true}
    begin = {**{s: sympy.sympify(e) for s, e in declared.state.items()}, sympy.Eq(t, 1): sympy.true}
    before = {m.rule: m.before for m in chosen}
    needed = {s for m in chosen for s in (m.code,)}
    for name, image in seen.items():
        if extra := image.free_symbols & set(code.state) - needed:
            return f"the code also remembers {', '.join(sorted(map(str, extra)))}, which the rule does not"
        first = image.xreplace(start).subs(t, 1), theirs[name].xreplace(begin).subs(t, 1)
        generic = image.xreplace(later), theirs[name].xreplace(later).xreplace(before)
        for what, (one, two) in (("the first", first), ("the new", generic)):
            try:
                decision = equal(one, two, domain, where)
            except TypeError as error:
                return f"{what} {name}: {error}"
            if not decision.proved:
                return f"{what} {name}: {decision.method}"
    return ""
