"""Slips of one place: a number, a symbol, a sign or a factor that is another one, anywhere in a rule's lines.

The other mistakes are those that many make, each in words of its own. These are every small change that nobody makes
on purpose, and too many to be asked of any code: of a class that is named after the rule alone, when nothing else fits.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import sympy
from sympy import Abs, Add, Expr, Integer, Max, Min, Mul, Number, Piecewise, Pow, Rational, Symbol
from sympy.core.relational import Relational

from verifier.edits import Edit, Lines, coupling, everywhere, hyper, put, shrinking, stepping, with_line
from verifier.printing import to_text
from verifier.rule import Rule, shared, t

Change = tuple[sympy.Basic, sympy.Basic]
"""What should stand somewhere, and what stands there."""

Whole = tuple[sympy.Basic, sympy.Basic, sympy.Basic]
"""A change, and all of the expression that it is made in."""


@dataclass(frozen=True)
class Slip:
    """Lines with one change in them: most are never told of, so that words are made of those few that are."""

    line: int
    target: Symbol
    change: Change
    step: Lines

    @property
    def edit(self) -> Edit:
        """The slip under a name, in words."""
        should, does = map(to_text, self.change)
        place = f"{self.target}_{zlib.crc32(f'{should} {does}'.encode()):08x}"
        return Edit(f"slip_{place}", f"{does} stands in {self.target} where {should} should", self.step)


@dataclass(frozen=True)
class _Line:
    """A line of a rule, what is the same for all elements there, and what could be taken for what."""

    target: Symbol
    constant: frozenset[Symbol]
    rates: tuple[Symbol, ...]
    scalars: tuple[Symbol, ...]
    varying: tuple[Symbol, ...]
    far: bool  # what a word in a class's name may mean, too: signs, sizes, sums with a gradient, powers of t


def slips_anywhere(rule: Rule, *, far: bool = False) -> Iterator[Slip]:
    """Every line but those of weight decay, changed in one place.

    `far`: also by what might be meant by code of another name, as signs are by SignAdam.
    """
    apart = (coupling(rule), shrinking(rule))
    for i, (target, e) in enumerate(rule.step):
        if i in apart:
            continue
        line, value = _line(rule, i, far), sympy.sympify(e)
        more = [*_without(value, line), *_scaled(rule, value, line)] if i == stepping(rule) else []
        for old, new, whole in (*_of_line(value, line), *more):
            yield Slip(i, target, (old, new), with_line(rule, i, whole))
    yield from _branched(rule)


@cache
def _of_line(value: Expr, line: _Line) -> tuple[Whole, ...]:
    """A line with one change in it; kept, as what conventions make of a rule has most of its lines."""
    found: dict[sympy.Basic, Whole] = {}
    for old, new, whole in (*_changed(value, line), *_renamed(value, line), *_of_maximum(value, line)):
        if whole != value and not whole.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I):
            found.setdefault(whole, (old, new, whole))
    return tuple(found.values())


def _branched(rule: Rule) -> Iterator[Slip]:
    """Another branch in every line that branches so."""
    guards: dict[sympy.Basic, int] = {}
    for i, (_, e) in enumerate(rule.step):
        for guard in sorted(sympy.sympify(e).atoms(Relational), key=str):
            guards.setdefault(guard, i)
    for guard, i in guards.items():
        for old, new, _ in _guards(guard, _line(rule, i)):
            yield Slip(i, rule.step[i][0], (old, new), everywhere(rule, put({old: new})))


def numbers_anywhere(rule: Rule, numbers: Iterable[Rational], counts: Iterable[Rational] = ()) -> Iterator[Slip]:
    """Lines that are the same for all elements, with one of `numbers` in the place of a number of theirs.

    And lines that have one of `counts` for the number of steps.
    """
    for i, (target, e) in enumerate(rule.step):
        value = sympy.sympify(e)
        for count in counts if value.has(t) else ():
            yield Slip(i, target, (t, count), with_line(rule, i, value.xreplace({t: count})))
            yield from _of_one_power(rule, i, count)
        if value.free_symbols - shared(rule) - {t}:
            continue
        own = sorted((n for n in value.atoms(Rational) if abs(n) not in (0, 1)), key=str)
        for old, new in itertools.product(own, numbers):
            yield Slip(i, target, (old, new), with_line(rule, i, value.xreplace({old: new})))
            yield Slip(i, target, (old, new), everywhere(rule, put({old: new})))


def _of_one_power(rule: Rule, i: int, count: Rational) -> Iterator[Slip]:
    """A line in which one of several powers of t counts otherwise."""
    target, value = rule.step[i][0], sympy.sympify(rule.step[i][1])
    powers = sorted((p for p in value.atoms(Pow) if p.exp == t), key=str)
    for power in powers if len(powers) > 1 else ():
        other = power.base**count
        yield Slip(i, target, (power, other), with_line(rule, i, value.xreplace({power: other})))


def _line(rule: Rule, i: int, far: bool = False) -> _Line:
    constant = frozenset(shared(rule)) | {t}
    rates = tuple(h for h in rule.hyper if h.name not in ("lr", "eps", "weight_decay"))
    before = [x for x, _ in rule.step[:i]]
    known = [*(s for s in rule.state), *(x for x in before if x != rule.theta), rule.grad]
    lr = hyper(rule, "lr")
    named = dict.fromkeys([*([lr] if lr is not None else []), *(x for x in known if x in constant)])
    varying = tuple(dict.fromkeys(x for x in known if x not in constant))
    return _Line(rule.step[i][0], constant, rates, tuple(named), varying, far)


def _changed(e: sympy.Basic, line: _Line) -> Iterator[Whole]:
    """An expression changed in one place: what should stand there, what stands there, and the whole."""
    for new in _instead(e, line):
        yield e, new, new
    if isinstance(e, Piecewise):
        for k, (value, guard) in enumerate(e.args):
            for old, new, part in (*_changed(value, line), *_guards(guard, line)):
                pair = (value, part) if isinstance(part, Relational) else (part, guard)
                yield old, new, Piecewise(*e.args[:k], pair, *e.args[k + 1 :])
        return
    for k, child in enumerate(e.args):
        for old, new, part in _changed(child, line):
            yield old, new, e.func(*e.args[:k], part, *e.args[k + 1 :])


def _guards(guard: sympy.Basic, line: _Line) -> Iterator[Whole]:
    """What a branch may be taken on in the place of what it should be."""
    if not isinstance(guard, Relational) or not guard.free_symbols <= line.constant:
        return
    others = [guard.func(x, guard.rhs) for x in (*line.scalars, t) if x != guard.lhs]
    if isinstance(guard.rhs, Number):
        others += [guard.func(guard.lhs, guard.rhs + more) for more in (1, -2, 2)]
    for other in (*others, guard.reversed if guard.lhs.is_Number else guard.negated):
        if isinstance(other, Relational):
            yield guard, other, other


def _instead(e: sympy.Basic, line: _Line) -> Iterator[sympy.Basic]:
    """What may stand in the place of an expression by a slip."""
    alike = e.free_symbols <= line.constant
    if isinstance(e, Add):
        yield from _of_sum(e, alike)
    elif isinstance(e, Mul):
        yield from _of_product(e, line)
    elif isinstance(e, Pow):
        yield from _of_power(e, alike, line)
    elif isinstance(e, Symbol):
        yield from _of_symbol(e, line)
    elif isinstance(e, Abs):
        yield from (e.args[0], e.args[0] ** 2)


def _of_sum(e: Add, alike: bool) -> Iterator[Expr]:
    for term in e.args:
        rest = e - term
        if isinstance(term, Number):
            yield from (rest + term + 1, rest + term - 1, rest - term, rest)
            if abs(term) > 1:  # the number of a factor beside it, as one of the four of RAdam's rectification
                yield from (rest + term + 2, rest + term - 2)
        elif alike:
            yield from (rest - term, rest)
        if term.free_symbols:
            yield from (rest + 2 * term, rest + term / 2)
        if term == 1 and alike:
            yield -rest
            power = -rest
            if isinstance(power, Pow) and power.exp == t:
                yield (1 - power.base) ** t


def _of_product(e: Mul, line: _Line) -> Iterator[Expr]:
    inverse = [a for a in e.args if isinstance(a, Pow) and a.exp.could_extract_minus_sign()]
    for factor in e.args:
        rest = e / factor
        if factor == -1:
            continue
        if factor.free_symbols <= line.constant and str(factor) != "lr":
            yield rest
        if factor.free_symbols and not factor.free_symbols & {line.target}:
            yield rest / factor
        if isinstance(factor, Add) and e.free_symbols <= line.constant:
            yield from (term + (factor - term) * rest for term in factor.args)  # as without the brackets
        if factor in inverse and isinstance(1 / factor, Add) and e.free_symbols <= line.constant:
            yield from (rest / term + (1 / factor - term) for term in Add.make_args(1 / factor))
    for first in inverse if len(inverse) > 1 else ():
        yield e * Mul(*(1 / a**2 for a in inverse if a != first))
    if e.free_symbols and e.free_symbols <= set(line.scalars):
        yield from (rate ** (t + 1) for rate in line.rates if rate.name.startswith("beta"))


def _of_power(e: Pow, alike: bool, line: _Line) -> Iterator[Expr]:
    base, exponent = e.args
    if exponent == t:
        yield from (base ** (t + 1), base ** (t - 1), base * t, base)
    elif exponent == 2 and base in line.varying:
        yield from (base * other for other in line.varying if other != base)
        yield base
        yield from (Abs(base), Abs(base) ** 3) if line.far else ()
    elif abs(exponent) == Rational(1, 2):
        yield base ** (2 * exponent)
        yield base ** (exponent / 2)
    elif exponent == -1 and base in line.varying:
        yield 1 / sympy.sqrt(base)
    elif exponent.free_symbols:
        yield base ** sympy.sign(exponent.as_coeff_Mul()[0])


def _of_symbol(e: Symbol, line: _Line) -> Iterator[Expr]:
    if e in line.rates:
        yield from (*(r for r in line.rates if r != e), 1 - e, e**2)
    if e in line.scalars:
        others = [x for x in line.scalars if x != e]
        yield from others
        if e.name != "lr":
            decays = [r for r in line.rates if r.name.startswith("beta")]
            yield from (1 - e, *(e * x for x in others), *decays, *(r**t for r in decays))
    elif e in line.varying:
        others = [x for x in line.varying if x != e]
        yield from others
        if line.far:
            yield from (sympy.sign(e), Abs(e), e**2, *(e + x for x in others), *(e - x for x in others))
    elif e == t:
        yield from (t - 1, t + 1)


def _renamed(e: Expr, line: _Line) -> Iterator[Whole]:
    """A symbol that is another one wherever a line has it."""
    for x in sorted(e.free_symbols, key=str):
        for other in _of_symbol(x, line):
            yield x, other, e.xreplace({x: other})


def _of_maximum(e: Expr, line: _Line) -> Iterator[Whole]:
    """What stands in the place of a maximum, or of a part of one with state that decays."""
    for bound in sorted(e.atoms(Max, Min), key=str):
        others: list[Expr] = [(Min if isinstance(bound, Max) else Max)(*bound.args)]
        held = [a for a in bound.args if line.target in a.free_symbols]
        fresh = [a for a in bound.args if a not in held]
        rate = held[0] / line.target if held else Integer(1)
        if held and fresh and rate in line.rates:
            eps = next((a for a in Add.make_args(fresh[0]) if a.free_symbols <= line.constant), Integer(0))
            share = (1 - rate) * (fresh[0] - eps) + eps
            others += [
                sympy.Add(*bound.args),
                *(Max(*held, (1 - rate) * fresh[0]), Max(*held, share)),
                *(held[0] + (1 - rate) * fresh[0], held[0] + share),
                rate * Max(line.target, *fresh),
                fresh[0],
            ]
        yield from ((bound, other, e.xreplace({bound: other})) for other in others)


def _without(e: Expr, line: _Line) -> Iterator[Whole]:
    """A step of several parts that lacks one."""
    parts = [term for term in Add.make_args(e) if term.free_symbols & set(line.varying)]
    if len(parts) > 1:
        yield from ((Add(*parts), Add(*parts) - part, e - part) for part in parts)


def _scaled(rule: Rule, value: Expr, line: _Line) -> Iterator[Whole]:
    """A step by a factor that belongs elsewhere: a rate, a bias correction that is made nowhere, a second division."""
    made = {p.base for _, e in rule.step for p in sympy.sympify(e).atoms(Pow) if p.exp == t}
    factors: list[Expr] = [1 / x for x in line.varying if value.has(1 / x)]
    if line.far:
        factors += [t, sympy.sqrt(t), *([1 / t] if made else [])]  # gradients alone are stepped by 1/t on purpose
    for rate in line.rates:
        factors += [rate, 1 - rate]
        if made and rate.name.startswith("beta") and rate not in made:
            factors += [1 - rate**t, 1 / (1 - rate**t), sympy.sqrt(1 - rate**t)]
    whole, move = Symbol("the_step"), value - rule.theta
    yield from ((whole, factor * whole, rule.theta + factor * move) for factor in factors)
