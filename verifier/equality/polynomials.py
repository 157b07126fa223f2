"""A field of rational functions in hash-consed generators: the arithmetic that `normal` decides equality with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import flint
import sympy
from sympy import Expr, Rational, Symbol

Poly = Any  # flint.fmpz_mpoly, which ships no types


class Undefined(Exception):
    """The expression divides by zero, or takes the root of a negative number, whatever its symbols are."""


class Full(Exception):
    """More generators than the field was made for."""


class Split(Exception):
    """The sign of `poly` is needed and not known: the caller goes on with each of `signs` in turn."""

    def __init__(self, poly: Poly, signs: frozenset[int]) -> None:
        super().__init__(str(poly))
        self.poly = poly
        self.signs = signs


class Quotient(NamedTuple):
    """A quotient of two polynomials without common factor."""

    num: Poly
    den: Poly


class Range(NamedTuple):
    """The reals a generator ranges over; None is infinity, `open` says the end itself is left out."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = False
    high_open: bool = False

    @property
    def sign(self) -> frozenset[int]:
        """Which of the signs -1, 0, 1 a value of this range can have."""
        found = {-1, 0, 1}
        if self.low is not None and self.low >= 0:
            found -= {-1} if self.low == 0 and not self.low_open else {-1, 0}
        if self.high is not None and self.high <= 0:
            found -= {1} if self.high == 0 and not self.high_open else {1, 0}
        return frozenset(found)

    @classmethod
    def of(cls, values: sympy.Set) -> Range:
        """The smallest range that holds a set of reals."""
        return _range(values)

    @classmethod
    def of_symbol(cls, symbol: Symbol, domain: Mapping[Symbol, sympy.Set]) -> Range:
        """The range the domain gives a symbol, or else its own assumptions."""
        if symbol in domain:
            return cls.of(domain[symbol])
        if symbol.is_positive:
            return cls(Fraction(1)) if symbol.is_integer else cls(Fraction(0), low_open=True)
        return cls(Fraction(0)) if symbol.is_nonnegative else cls()


@cache
def _range(values: sympy.Set) -> Range:
    """Range.of, once a set: sympy takes milliseconds to tell what an interval contains."""
    low, high = values.inf, values.sup
    return Range(
        _fraction(low) if low.is_Rational else None,
        _fraction(high) if high.is_Rational else None,
        bool(low.is_Rational and values.contains(low) is sympy.false),
        bool(high.is_Rational and values.contains(high) is sympy.false),
    )


def _fraction(value: Rational) -> Fraction:
    return Fraction(int(value.p), int(value.q))


@dataclass(frozen=True, eq=False)
class Generator:
    """One generator: the expression it stands for, its range, and for a q-th root the radicand it is the root of."""

    meaning: Expr
    range: Range
    root: int = 0  # q: this generator to the q-th power is `radicand`
    radicand: Poly = None


ANY = frozenset({-1, 0, 1})


class Polynomials:
    """Fractions over a growing list of generators, reduced by the relations root**q = radicand."""

    def __init__(self, capacity: int) -> None:
        names = [f"x{i}" for i in range(capacity)]
        self.context = flint.fmpz_mpoly_ctx.get(names, "deglex")
        self.generators: list[Generator] = []
        self.variables = self.context.gens()
        self.one = self.context.constant(1)
        self.zero = self.context.constant(0)

    def add_generator(self, generator: Generator) -> Poly:
        """The polynomial of a new generator; Full where there is no room."""
        if len(self.generators) == len(self.variables):
            raise Full
        self.generators.append(generator)
        return self.variables[len(self.generators) - 1]

    def constant(self, value: Rational) -> Quotient:
        return Quotient(self.context.constant(int(value.p)), self.context.constant(int(value.q)))

    def fraction(self, num: Poly, den: Poly) -> Quotient:
        """num/den reduced by the root relations and cancelled."""
        num, den = self.reduce(num), self.reduce(den)
        if den.is_zero():
            raise Undefined
        if num.is_zero():
            return Quotient(self.zero, self.one)
        if den.is_one():
            return Quotient(num, den)
        shared = num.gcd(den)
        if not shared.is_one():
            num, den = num // shared, den // shared
        if den.leading_coefficient() < 0:
            num, den = -num, -den
        return Quotient(num, den)

    def reduce(self, poly: Poly) -> Poly:
        """`poly` with every power of a root brought below its order."""
        degrees = poly.degrees() if not poly.is_constant() else ()
        for i in range(len(self.generators) - 1, -1, -1):
            generator = self.generators[i]
            if not generator.root or not degrees or degrees[i] < generator.root:
                continue
            parts: dict[int, dict[tuple[int, ...], Any]] = {}
            for monomial, coefficient in poly.to_dict().items():
                quotient, rest = divmod(monomial[i], generator.root)
                parts.setdefault(quotient, {})[(*monomial[:i], rest, *monomial[i + 1 :])] = coefficient
            poly = self.zero
            for quotient, terms in parts.items():
                poly += self.context.from_dict(terms) * generator.radicand**quotient
            if poly.is_constant():
                break
            degrees = poly.degrees()
        return poly

    def add(self, a: Quotient, b: Quotient) -> Quotient:
        if a.den == b.den:
            return self.fraction(a.num + b.num, a.den)
        shared = a.den.gcd(b.den)
        left, right = a.den // shared, b.den // shared
        return self.fraction(a.num * right + b.num * left, a.den * right)

    def multiply(self, a: Quotient, b: Quotient) -> Quotient:
        return self.fraction(a.num * b.num, a.den * b.den)

    def power(self, a: Quotient, exponent: int) -> Quotient:
        if exponent < 0:
            if a.num.is_zero():
                raise Undefined
            a, exponent = Quotient(a.den, a.num), -exponent
        return self.fraction(a.num**exponent, a.den**exponent)

    def signs(self, poly: Poly) -> frozenset[int]:
        """The signs -1, 0, 1 that `poly` can have over the generators' ranges (a superset of them)."""
        return self._signs(poly, {i: g.range for i, g in enumerate(self.generators)}, 8)

    def _signs(self, poly: Poly, ranges: dict[int, Range], depth: int) -> frozenset[int]:
        if poly.is_zero():
            return frozenset({0})
        terms = poly.to_dict()
        positive = negative = strictly = False
        for monomial, coefficient in terms.items():
            possible = frozenset({1 if coefficient > 0 else -1})
            for i, exponent in enumerate(monomial):
                if exponent:
                    possible = _product(possible, _power(ranges[i].sign, exponent))
            positive |= 1 in possible
            negative |= -1 in possible
            strictly |= 0 not in possible
        if not (positive and negative):
            sign = 1 if positive else -1
            return frozenset({sign}) if strictly else frozenset({sign, 0})
        if depth == 0:
            return ANY
        degrees = poly.degrees()
        for i, values in ranges.items():
            k = degrees[i]
            if not k or values.low is None or values.low < 0 or (values.high is None and values.low == 0):
                continue
            if any(monomial[i] not in (0, k) for monomial in terms):
                continue
            # affine in the k-th power of generator i: over an interval its sign is settled by the two ends
            rest, slope = self.zero, self.zero
            for monomial, coefficient in terms.items():
                bare = (*monomial[:i], 0, *monomial[i + 1 :])
                part = self.context.from_dict({bare: coefficient})
                if monomial[i]:
                    slope += part
                else:
                    rest += part
            low = rest * values.low.denominator**k + slope * values.low.numerator**k
            if values.high is None:
                shifted = low + slope * values.low.denominator**k * self.variables[i]
                return self._signs(shifted, {**ranges, i: Range(Fraction(0), low_open=values.low_open)}, depth - 1)
            high = rest * values.high.denominator**k + slope * values.high.numerator**k
            at_low = self._signs(low, ranges, depth - 1)
            if at_low >= {1, -1}:  # whatever it is at the other end: nothing is settled by these two
                continue
            at_high = self._signs(high, ranges, depth - 1)
            for sign in (1, -1):
                if -sign in at_low or -sign in at_high:
                    continue
                zero_low, zero_high = 0 in at_low, 0 in at_high
                both = zero_low and zero_high
                if both or (zero_low and not values.low_open) or (zero_high and not values.high_open):
                    return frozenset({sign, 0})
                return frozenset({sign})
        return self._of_one_variable(terms, ranges)

    def _of_one_variable(self, terms: Mapping[tuple[int, ...], Any], ranges: dict[int, Range]) -> frozenset[int]:
        """The signs of a polynomial in one bounded generator, by counting its roots between the ends (Sturm)."""
        used = {i for monomial in terms for i, exponent in enumerate(monomial) if exponent}
        if len(used) != 1:
            return ANY
        (i,) = used
        values = ranges[i]
        if values.low is None or values.high is None:
            return ANY
        x = sympy.Symbol("x")
        poly = sympy.Poly({(monomial[i],): int(c) for monomial, c in terms.items()}, x)
        ends = [Rational(values.low), Rational(values.high)]
        at_ends = [int(sympy.sign(poly.eval(end))) for end in ends]
        inside = poly.count_roots(*ends) - at_ends.count(0)
        if inside:
            return ANY
        middle = int(sympy.sign(poly.eval(sum(ends) / 2)))
        touched = (at_ends[0] == 0 and not values.low_open) or (at_ends[1] == 0 and not values.high_open)
        return frozenset({middle, 0} if touched else {middle})

    def expression(self, value: Quotient) -> Expr:
        """The fraction as a sympy expression."""
        return self._polynomial(value.num) / self._polynomial(value.den)

    def _polynomial(self, poly: Poly) -> Expr:
        return sympy.Add(
            *(
                sympy.Mul(int(c), *(g.meaning**e for g, e in zip(self.generators, m, strict=False) if e))
                for m, c in poly.to_dict().items()
            )
        )


def _product(a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
    return frozenset(x * y for x in a for y in b)


def _power(signs: frozenset[int], exponent: int) -> frozenset[int]:
    return frozenset(s**exponent for s in signs)
