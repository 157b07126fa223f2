"""A rule as straight-line instructions for the enclosure: built once a rule, with the patterns rounding cares about.

Sums and products are taken apart into two-operand instructions over numbered values; equal subexpressions are
computed once. Four shapes are kept whole, because implementations write them in ways that round differently:

    mix     b*x + (1-b)*y, or x + w*(y-x)      lerp and multiply-add
    decay   x*(1 - a*b), or x - a*b*x          a factor or a subtraction
    fold    x*(1 - a*b) - b*d                  x - b*(d + a*x) (torch's foreach ASGD)
    root    sqrt(v/c)                          sqrt(v)/sqrt(c)
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import sympy
from sympy import Expr, Symbol

from verifier.enclosure.averages import average
from verifier.rule import Rule, RuleError, shared, t


@dataclass(frozen=True)
class Instruction:
    """Value number `target` is `op` of the values numbered `args`; `detail` is what the operation needs besides."""

    target: int
    op: str
    args: tuple[int, ...]
    detail: Any
    shared: bool


@dataclass(frozen=True)
class Program:
    """Instructions in order, where the inputs come from, and which values are theta and state afterwards."""

    inputs: dict[str, int]
    instructions: tuple[Instruction, ...]
    results: dict[str, int]
    held: frozenset[str]  # state all elements share: a scalar the optimizer keeps

    def only(self, names: Iterable[str]) -> Program:
        """The part of the program that computes the results called `names`."""
        results = {name: self.results[name] for name in names}
        return replace(self, instructions=_needed(self.instructions, results.values()), results=results)

    def needed(self, numbers: Iterable[int]) -> tuple[Instruction, ...]:
        """The instructions that the values of these numbers depend on."""
        return _needed(self.instructions, numbers)

    def after(self, first: Iterable[int]) -> tuple[tuple[Instruction, ...], tuple[Instruction, ...]]:
        """(early, late): the instructions that depend on none of the values numbered `first`, and the others.

        An instruction that computes one of these values is itself late.
        """
        later = set(first)
        early: list[Instruction] = []
        late: list[Instruction] = []
        for i in self.instructions:
            if i.target in later or not later.isdisjoint(i.args):
                later.add(i.target)
                late.append(i)
            else:
                early.append(i)
        return tuple(early), tuple(late)


def _needed(instructions: Iterable[Instruction], wanted: Iterable[int]) -> tuple[Instruction, ...]:
    """The instructions that the values numbered `wanted` depend on, in order."""
    needed = set(wanted)
    kept = []
    for instruction in reversed(tuple(instructions)):
        if instruction.target in needed and instruction.op != "input":
            needed |= set(instruction.args)
            kept.append(instruction)
    return tuple(reversed(kept))


@functools.lru_cache(maxsize=256)
def program(rule: Rule) -> Program:
    """The instructions of one step of `rule`; RuleError where a line uses what the enclosure does not cover."""
    return _Builder(rule).step()


@functools.lru_cache(maxsize=256)
def initial_program(rule: Rule) -> Program:
    """The instructions that compute the state before the first step."""
    return _Builder(rule).initial()


class _Builder:
    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.instructions: list[Instruction] = []
        self.numbers: dict[tuple[Any, ...], int] = {}
        self.shared: list[bool] = []
        self.meaning: dict[int, Expr] = {}  # of shared values, over inputs: to see that two coefficients add to 1
        self.parts: dict[int, tuple[list[int], list[int]]] = {}  # of products: numerators, divisors
        self.inputs: dict[str, int] = {}
        self.names: dict[Symbol, int] = {}
        common = shared(rule)
        self.held = frozenset(s for s in rule.state if s in common)
        for symbol in (rule.theta, rule.grad, t, *rule.hyper, *rule.state):
            number = self.emit("input", (), symbol.name, symbol in common)
            self.inputs[symbol.name] = number
            self.names[symbol] = number
            self.meaning[number] = symbol

    def step(self) -> Program:
        for line, (target, value) in enumerate(self.rule.step, 1):
            e = sympy.sympify(value)
            try:
                number = self.hold(e) if target in self.held else self.expression(e)
            except _NotCovered as error:
                raise RuleError(f"rule {self.rule.name}, line {line}, {target} = {value}: {error}") from None
            self.names[target] = number
        return self.finish((self.rule.theta, *self.rule.state))

    def initial(self) -> Program:
        for target, value in self.rule.state.items():
            e = sympy.sympify(value)
            self.names[target] = self.hold(e) if target in self.held else self.expression(e)
        return self.finish(tuple(self.rule.state))

    def finish(self, wanted: tuple[Symbol, ...]) -> Program:
        results = {s.name: self.names[s] for s in wanted}
        held = frozenset(s.name for s in self.held)
        return Program(self.inputs, _needed(self.instructions, results.values()), results, held)

    # emission -------------------------------------------------------------------------------------------------------

    def emit(self, op: str, args: tuple[int, ...], detail: Any = None, is_shared: bool | None = None) -> int:
        key = (op, args, detail)
        if key in self.numbers:
            return self.numbers[key]
        number = len(self.shared)
        self.shared.append(all(self.shared[a] for a in args) if is_shared is None else is_shared)
        self.instructions.append(Instruction(number, op, args, detail, self.shared[number]))
        self.numbers[key] = number
        return number

    def expression(self, e: Expr) -> int:
        number = self.build(e)
        if self.shared[number] and number not in self.meaning:
            self.meaning[number] = e.xreplace({s: self.meaning[self.names[s]] for s in e.free_symbols})
        return number

    def build(self, e: Expr) -> int:
        if isinstance(e, Symbol):
            return self.names[e]
        if isinstance(e, sympy.Add):
            return self.sum(e)
        if isinstance(e, sympy.Mul):
            return self.product(e)
        if isinstance(e, sympy.Pow):
            return self.power(e)
        if isinstance(e, sympy.Number):
            return self.number(e)
        if isinstance(e, sympy.Abs):
            return self.emit("abs", (self.expression(e.args[0]),))
        if isinstance(e, sympy.Max | sympy.Min):
            op = "maximum" if isinstance(e, sympy.Max) else "minimum"
            return functools.reduce(lambda a, b: self.emit(op, (a, b)), map(self.expression, e.args))
        if isinstance(e, sympy.sign):
            one, none = self.number(sympy.Integer(1)), self.number(sympy.Integer(0))
            order = self.emit("compare", (self.expression(e.args[0]), none))
            below = self.emit("select", (self.negative(one), none, order), (("lt", order),))
            return self.emit("select", (one, below, order), (("gt", order),))
        if isinstance(e, sympy.Piecewise):
            return self.cases(e)
        raise _NotCovered(f"{type(e).__name__} is not covered by the enclosure")

    def number(self, e: Expr) -> int:
        if not e.is_Rational:
            raise _NotCovered(f"the number {e} is not rational")
        number = self.emit("number", (), (int(e.p), int(e.q)), True)
        self.meaning[number] = e
        return number

    def negative(self, number: int) -> int:
        result = self.emit("neg", (number,))
        if number in self.parts:
            self.parts[result] = self.parts[number]
        return result

    # sums -----------------------------------------------------------------------------------------------------------

    def sum(self, e: sympy.Add) -> int:
        terms = sorted(e.args, key=lambda term: (term.could_extract_minus_sign(), sympy.default_sort_key(term)))
        whole = self.mixture(e) or self.lerp(e) or self.decay_or_fold(e)
        if whole is not None:
            return whole
        numbers = [self.expression(term) for term in terms]
        if len(numbers) == 2:
            return self.emit("add", (numbers[0], numbers[1]))
        if all(self.shared[n] for n in numbers):
            return functools.reduce(lambda a, b: self.emit("add", (a, b)), numbers)
        return self.emit("sum", tuple(numbers))

    def coefficient(self, term: Expr) -> tuple[Expr, Expr]:
        """The shared factors of a term, and the rest."""
        rest: list[Expr] = []
        common: list[Expr] = []
        for factor in sympy.Mul.make_args(term):
            number_of = [self.shared[self.names[s]] for s in factor.free_symbols]
            (common if all(number_of) else rest).append(factor)
        return sympy.Mul(*common), sympy.Mul(*rest)

    def inlined(self, e: Expr) -> Expr:
        return e.xreplace({s: self.meaning[self.names[s]] for s in e.free_symbols if self.names[s] in self.meaning})

    def mixture(self, e: sympy.Add) -> int | None:
        """b*x + (1-b)*y with b shared, the terms in two products where one of them has another scalar factor."""
        if len(e.args) != 2:
            return None
        found = average(self.coefficient(e.args[0]), self.coefficient(e.args[1]), self.inlined)
        if found is None:
            return None
        mixed = self.emit("mix", tuple(map(self.expression, found[:4])))
        apart = tuple(map(self.expression, e.args)) if found.scaled else ()
        return self.emit("either", (mixed, self.emit("add", apart))) if apart else mixed

    def lerp(self, e: sympy.Add) -> int | None:
        """x + w*(y - x) with w shared."""
        for x, term in (e.args, e.args[::-1]) if len(e.args) == 2 else ():
            w, difference = self.coefficient(term)
            if isinstance(difference, sympy.Add) and -x in difference.args and not w.is_Number:
                y = difference + x
                return self.emit("mix", tuple(map(self.expression, (1 - w, w, x, y))))
        return None

    def decayed(self, term: Expr) -> tuple[Expr, Expr] | None:
        """(x, c) where the term is x*(1 - c) with c a product of at least two shared factors."""
        common, x = self.coefficient(term)
        if x == 1 or not isinstance(common, sympy.Add) or len(common.args) != 2 or 1 not in common.args:
            return None
        c = 1 - common
        return (x, c) if len([f for f in sympy.Mul.make_args(c) if not f.is_Number]) >= 2 else None

    def decay(self, x: Expr, c: Expr) -> int:
        return self.emit("decay", tuple(map(self.expression, (x, 1 - c, c))))

    def decay_or_fold(self, e: sympy.Add) -> int | None:
        """x - c*x, and x*(1 - a*b) - b*d."""
        for term, other in (e.args, e.args[::-1]) if len(e.args) == 2 else ():
            b, d = self.coefficient(other)
            if d == term and (-b).func in (sympy.Mul, Symbol) and not self.shared[self.expression(term)]:
                return self.decay(term, -b)
            found = self.decayed(term)
            if found is None or d == 1 or isinstance(d, sympy.Mul | sympy.Pow):
                continue
            x, c = found
            a = c / -b
            if a.free_symbols & b.free_symbols or not a.free_symbols < c.free_symbols:
                continue
            return self.emit("fold", (*map(self.expression, (x, 1 - c, c, a, -b, d)),))
        return None

    # products -------------------------------------------------------------------------------------------------------

    def product(self, e: sympy.Mul) -> int:
        found = self.decayed(e)
        if found is not None:
            return self.decay(*found)
        above: list[int] = []
        below: list[int] = []
        sign = 1
        for factor in sympy.Mul.make_args(e):
            if factor.is_Rational:
                if factor < 0:
                    sign, factor = -sign, -factor
                if factor.p != 1:
                    above.append(self.number(sympy.Integer(factor.p)))
                if factor.q & (factor.q - 1) == 0:
                    below += [self.number(sympy.Integer(factor.q))] if factor.q != 1 else []
                else:  # code may multiply by the rounded constant, which its number is either way
                    above.append(self.number(sympy.Rational(1, factor.q)))
                continue
            base, exponent = factor.as_base_exp()
            if exponent.is_number and exponent.is_negative:
                below.append(self.expression(base**-exponent))
            else:
                above.append(self.expression(factor))
        result = self.multiply(above, below)
        return result if sign > 0 else self.negative(result)

    def multiply(self, above: list[int], below: list[int]) -> int:
        """The product of values over the product of others, shared values first: those need computing only once."""
        order = sorted(above, key=lambda n: not self.shared[n])
        divisors = sorted(below, key=lambda n: not self.shared[n])
        pending = [("mul", n) for n in order] + [("div", n) for n in divisors]
        pending.sort(key=lambda item: not self.shared[item[1]])
        op, result = pending.pop(0)
        if op == "div":
            one = self.number(sympy.Integer(1))
            result = self.emit("div", (one, result))
        for op, number in pending:
            result = self.emit(op, (result, number))
        result = self.under_one_root(result, above, below)
        self.parts[result] = (above, below)
        return result

    def under_one_root(self, result: int, above: list[int], below: list[int]) -> int:
        """A root of a tensor over roots of shared values may be computed as the root of their quotient."""
        radicands = {i.target: i.args[0] for i in self.instructions if i.op == "sqrt"}
        if not all(n in radicands for n in (*above, *below)) or self.shared[result]:
            return result
        if sum(not self.shared[n] for n in (*above, *below)) != 1 or len(above) + len(below) < 2:
            return result
        quotient = self.multiply([radicands[n] for n in above], [radicands[n] for n in below])
        return self.emit("or root", (result, quotient))

    def power(self, e: sympy.Pow) -> int:
        base, exponent = e.as_base_exp()
        if exponent.is_Rational and exponent.q in (1, 2):
            if exponent < 0:
                return self.multiply([], [self.expression(base**-exponent)])
            if exponent.q == 1:
                return self.emit("whole power", (self.expression(base),), int(exponent))
            root = self.root(base)
            return root if exponent.p == 1 else self.emit("whole power", (root,), int(exponent.p))
        base_number, exponent_number = self.expression(base), self.expression(exponent)
        if not (self.shared[base_number] and self.shared[exponent_number]):
            raise _NotCovered(f"{e} raises a tensor to a power that is not a multiple of 1/2")
        return self.emit("power", (base_number, exponent_number))

    def root(self, base: Expr) -> int:
        """sqrt of a product with shared factors is the product of the roots; see `root` in the module docstring."""
        number = self.expression(base)
        above, below = self.parts.get(number, ([], []))
        tensors = [n for n in (*above, *below) if not self.shared[n]]
        if self.shared[number] or len(tensors) in (0, len(above) + len(below)):
            return self.emit("sqrt", (number,))
        tensor = self.multiply([n for n in above if not self.shared[n]], [n for n in below if not self.shared[n]])
        roots = [self.emit("sqrt", (n,)) for n in above if self.shared[n]]
        divisors = [self.emit("sqrt", (n,)) for n in below if self.shared[n]]
        return self.multiply([self.emit("sqrt", (tensor,)), *roots], divisors)

    # branches -------------------------------------------------------------------------------------------------------

    def cases(self, e: sympy.Piecewise) -> int:
        *branches, (last, always) = e.args
        if always != sympy.true:
            raise _NotCovered(f"{e} does not say what holds otherwise")
        result = self.expression(last)
        for value, condition in reversed(branches):
            test = self.condition(condition)
            result = self.emit("select", (self.expression(value), result, *_orders(test)), test)
        return result

    def condition(self, c: Any) -> tuple[Any, ...]:
        """A condition as nested tuples over `compare` values: ("gt", n), ("and", ...), ("or", ...), ("not", x)."""
        relations = {sympy.Gt: "gt", sympy.Lt: "lt", sympy.Ge: "ge", sympy.Le: "le", sympy.Eq: "eq", sympy.Ne: "ne"}
        if type(c) in relations:
            order = self.emit("compare", (self.expression(c.lhs), self.expression(c.rhs)))
            return ((relations[type(c)], order),)
        if isinstance(c, sympy.And | sympy.Or):
            name = "and" if isinstance(c, sympy.And) else "or"
            return ((name, *(self.condition(x)[0] for x in c.args)),)
        if isinstance(c, sympy.Not):
            return (("not", self.condition(c.args[0])[0]),)
        raise _NotCovered(f"the condition {c} is not a comparison")

    def hold(self, e: Expr) -> int:
        """A shared value that the optimizer keeps as a scalar; updated in place where the line reads a kept scalar."""
        reads = {s for s in e.free_symbols if s in self.held}
        if isinstance(e, sympy.Mul) and reads:
            factors = tuple(self.expression(f) for f in e.args)
            number = self.emit("hold product", factors)
        else:
            number = self.emit("hold", (self.expression(e),))
        self.meaning[number] = Symbol(f"held_{number}", real=True)
        return number


class _NotCovered(Exception):
    """A construct of a rule that the enclosure has no bound for."""


def _orders(test: tuple[Any, ...]) -> list[int]:
    """The `compare` values a condition reads."""
    found: list[int] = []
    for name, *rest in test:
        if name in ("and", "or", "not"):
            found += _orders(tuple(rest))
        else:
            found += rest
    return found
