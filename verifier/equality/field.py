"""From sympy expressions to normal forms: symbols, roots, powers b**t and functions become field generators.

Whatever branches (Abs, sign, Max, Min, Piecewise, a root of a square) asks for the sign of an irreducible polynomial.
Where the domain does not settle it, `Split` is raised, and the caller decides each of the three cases apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy
from sympy import Expr, Integer, Rational, Symbol
from sympy.logic.boolalg import ITE, And, BooleanFalse, BooleanTrue, Not, Or

from verifier.equality.polynomials import ANY, Full, Generator, Poly, Polynomials, Quotient, Range, Split, Undefined
from verifier.equality.signs import Signs


class Field:
    """Normal forms of expressions over one domain; equal subexpressions are converted once."""

    def __init__(self, domain: Mapping[Symbol, sympy.Set], capacity: int = 48, *, branching: bool = True) -> None:
        self.domain = domain
        self.branching = branching  # else signs that are not settled stay as generators: a form for people to read
        self.ring = Polynomials(capacity)
        self.cases: list[tuple[Poly, int]] = []  # the signs assumed, each of an irreducible polynomial
        self.reads = 0  # how often an assumed sign was read: forms that read none hold in every case
        self.settled: dict[Expr, Quotient] = {}
        self.assumed: dict[Expr, Quotient] = {}
        self.known: list[tuple[Poly, frozenset[int]]] = []
        self.keyed: dict[tuple[Expr, Expr], Poly] = {}

    def assume(self, cases: list[tuple[Poly, int]]) -> None:
        """Goes on with these signs assumed; what was converted without any is kept."""
        self.cases = cases
        self.assumed = {}

    def form(self, expr: Expr) -> Quotient:
        """The normal form of `expr`; Split where it turns on a sign that is not known."""
        found = self.settled.get(expr) or self.assumed.get(expr)
        if found is not None:
            if expr in self.assumed:
                self.reads += 1
            return found
        before = self.reads
        form = self._form(expr)
        (self.settled if self.reads == before else self.assumed)[expr] = form
        return form

    def _form(self, expr: Expr) -> Quotient:
        ring = self.ring
        if isinstance(expr, Rational):
            return ring.constant(expr)
        if expr in (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I):
            raise Undefined
        if isinstance(expr, sympy.Float):
            return ring.constant(Rational(Fraction(float(expr))))
        if isinstance(expr, Symbol):
            return Quotient(ring.add_generator(Generator(expr, Range.of_symbol(expr, self.domain))), ring.one)
        if isinstance(expr, sympy.Add):
            return self._sum([self.form(arg) for arg in expr.args])
        if isinstance(expr, sympy.Mul):
            total = Quotient(ring.one, ring.one)
            for arg in expr.args:
                total = ring.multiply(total, self.form(arg))
            return total
        if isinstance(expr, sympy.Pow):
            return self._pow(expr.base, expr.exp)
        if isinstance(expr, sympy.exp):
            return self._opaque(sympy.exp, expr.args, Range(Fraction(0), low_open=True))
        if not self.branching and isinstance(expr, sympy.sign | sympy.Abs | sympy.Max | sympy.Min | sympy.Piecewise):
            return self._unbranched(expr)
        if isinstance(expr, sympy.sign):
            return ring.constant(Integer(self.sign(self.form(expr.args[0]))))
        if isinstance(expr, sympy.Abs):
            inner = self.form(expr.args[0])
            return ring.multiply(ring.constant(Integer(self.sign(inner))), inner)
        if isinstance(expr, sympy.Max | sympy.Min):
            return self._extreme(expr)
        if isinstance(expr, sympy.Piecewise):
            for value, guard in expr.args:
                if self.holds(guard):
                    return self.form(value)
            raise Undefined
        if isinstance(expr, sympy.Function):
            return self._opaque(expr.func, expr.args, Range())
        raise TypeError(f"{expr} ({type(expr).__name__}) has no normal form")

    def _unbranched(self, expr: Expr) -> Quotient:
        """A branching function as a generator of its own, with its branches in normal form."""
        if isinstance(expr, sympy.Piecewise):
            for value, guard in expr.args:
                try:
                    if self.holds(guard):
                        return self.form(value)
                except Split:
                    break
            rows = [(self.ring.expression(self.form(value)), guard) for value, guard in expr.args]
            shown: Expr = sympy.Piecewise(*rows)
        elif isinstance(expr, sympy.Abs):
            inner = self.form(expr.args[0])
            total = self.ring.constant(Rational(abs(int(inner.num.content())), 1))
            return self.ring.multiply(total, self._sides(inner, self._absolute))
        else:
            args = list(expr.args)
            if isinstance(expr, sympy.Max | sympy.Min):
                beaten = -1 if isinstance(expr, sympy.Max) else 1
                for arg in expr.args:  # an argument that another one always beats does not count
                    if any(self.signs(arg - other) <= {0, beaten} for other in args if other != arg):
                        args.remove(arg)
            shown = expr.func(*(self.ring.expression(self.form(arg)) for arg in args))
        if shown.is_Atom or shown.func != expr.func:
            return self.form(shown)
        key = (shown, Integer(0))
        if key not in self.keyed:
            self.keyed[key] = self.ring.add_generator(Generator(shown, Range()))
        return Quotient(self.keyed[key], self.ring.one)

    def _sides(self, value: Quotient, of: Callable[[Poly], Quotient]) -> Quotient:
        total = Quotient(self.ring.one, self.ring.one)
        for side, power in ((value.num, 1), (value.den, -1)):
            constant, factors = side.factor()
            if power < 0:
                total = self.ring.multiply(total, self.ring.constant(Rational(1, abs(int(constant)))))
            for poly, exponent in factors:
                total = self.ring.multiply(total, self.ring.power(of(poly), power * int(exponent)))
        return total

    def _absolute(self, poly: Poly) -> Quotient:
        signs = self.possible(poly)
        if -1 not in signs or 1 not in signs:
            return Quotient(poly if -1 not in signs else -poly, self.ring.one)
        for i, generator in enumerate(self.ring.generators):
            if generator.root == 2 and generator.radicand == poly**2:
                return Quotient(self.ring.variables[i], self.ring.one)
        meaning = sympy.Abs(self.ring.expression(Quotient(poly, self.ring.one)))
        generator = Generator(meaning, Range(Fraction(0)), 2, poly**2)
        return Quotient(self.ring.add_generator(generator), self.ring.one)

    def _sum(self, terms: list[Quotient]) -> Quotient:
        ring = self.ring
        pending: list[Quotient] = []
        for term in terms:  # terms over one denominator first: fewer greatest common divisors
            for i, other in enumerate(pending):
                if other.den == term.den:
                    pending[i] = ring.fraction(other.num + term.num, term.den)
                    break
            else:
                pending.append(term)
        total = pending[0]
        for term in pending[1:]:
            total = ring.add(total, term)
        return total

    def _extreme(self, expr: Expr) -> Quotient:
        best = self.form(expr.args[0])
        for arg in expr.args[1:]:
            other = self.form(arg)
            sign = self.sign(self.ring.add(other, Quotient(-best.num, best.den)))
            if sign == (1 if isinstance(expr, sympy.Max) else -1):
                best = other
        return best

    def holds(self, guard: sympy.Basic) -> bool:
        """Whether a Piecewise guard holds in the cases assumed."""
        if isinstance(guard, BooleanTrue | BooleanFalse):
            return bool(guard)
        if isinstance(guard, And):
            return all(self.holds(arg) for arg in guard.args)
        if isinstance(guard, Or):
            return any(self.holds(arg) for arg in guard.args)
        if isinstance(guard, Not):
            return not self.holds(guard.args[0])
        if isinstance(guard, ITE):
            return self.holds(guard.args[1 if self.holds(guard.args[0]) else 2])
        if not isinstance(guard, sympy.core.relational.Relational):
            raise TypeError(f"{guard} is not a guard that has a normal form")
        signs = COMPARED[type(guard)]
        return self.sign(self.form(guard.lhs - guard.rhs)) in signs

    # -- signs

    def sign(self, value: Quotient) -> int:
        """The sign of a form: the product of the signs of its irreducible factors."""
        if value.num.is_zero():
            return 0
        constant, factors = value.num.factor()
        total = 1 if int(constant) > 0 else -1
        for poly, exponent in factors:
            sign = self.sign_of(poly)
            if sign == 0:
                return 0
            total *= sign**exponent
        constant, factors = value.den.factor()
        total *= 1 if int(constant) > 0 else -1
        for poly, exponent in factors:
            if exponent % 2:  # a denominator is not zero, so an even power of it is positive
                total *= self.sign_of(poly) or 1
        return total

    def possible(self, poly: Poly) -> frozenset[int]:
        """The signs an irreducible polynomial can have, by the cases assumed and the generators' ranges."""
        for other, sign in self.cases:
            if other == poly:
                self.reads += 1
                return frozenset({sign})
            if other == -poly:
                self.reads += 1
                return frozenset({-sign})
        signs = self._by_range(poly)
        if len(signs) == 1:
            return signs
        narrowed = signs
        for other, sign in self.cases:  # poly = (poly - c*other) + c*other: signs that agree carry over
            for c in (1, -1):
                rest = self._by_range(poly - c * other)
                if -1 not in rest and c * sign >= 0:
                    narrowed -= {-1} if 0 in rest else {-1, 0}
                if 1 not in rest and c * sign <= 0:
                    narrowed -= {1} if 0 in rest else {1, 0}
                if sign != 0 and rest == {0}:
                    narrowed &= {c * sign}
        if narrowed != signs:
            self.reads += 1
        return narrowed or signs

    def _by_range(self, poly: Poly) -> frozenset[int]:
        for other, signs in self.known:
            if other == poly:
                return signs
        signs = self.ring.signs(poly)
        self.known.append((poly, signs))
        return signs

    def sign_of(self, poly: Poly) -> int:
        """The sign of an irreducible polynomial; Split where it is not settled."""
        signs = self.possible(poly)
        if len(signs) > 1:
            raise Split(poly, signs)
        return next(iter(signs))

    # -- powers

    def _pow(self, base: Expr, exponent: Expr) -> Quotient:
        if isinstance(exponent, Integer):
            return self.ring.power(self.form(base), int(exponent))
        if isinstance(exponent, sympy.Float):
            exponent = Rational(Fraction(float(exponent)))
        if isinstance(exponent, Rational):
            return self.ring.power(self.root(self.form(base), int(exponent.q)), int(exponent.p))
        total = Quotient(self.ring.one, self.ring.one)
        for term in sympy.Add.make_args(sympy.expand(exponent)):
            factor, rest = term.as_coeff_Mul()
            if rest == 1:
                part = self._pow(base, factor)
            else:
                part = self.root(self._symbolic_power(base, rest), int(factor.q))
                part = self.ring.power(part, int(factor.p))
            total = self.ring.multiply(total, part)
        return total

    def _symbolic_power(self, base: Expr, exponent: Expr) -> Quotient:
        """base**exponent for an exponent that is not a number: one generator a pair."""
        if base == 1:
            return self.ring.constant(Integer(1))
        inner = self.form(base)
        if inner.num.is_one() and not inner.den.is_constant():
            return self.ring.power(self._symbolic_power(1 / base, exponent), -1)
        key = (self.ring.expression(inner), exponent)
        if key not in self.keyed:
            power = sympy.Pow(base, exponent, evaluate=False)
            values = self._power_range(inner, self.form(exponent))
            self.keyed[key] = self.ring.add_generator(Generator(power, values))
        return Quotient(self.keyed[key], self.ring.one)

    def _power_range(self, base: Quotient, exponent: Quotient) -> Range:
        positive, upward = self.bounds(base), self.bounds(exponent)
        if -1 in positive:
            return Range()
        below_one = self.bounds(self.ring.add(self.ring.constant(Integer(1)), Quotient(-base.num, base.den)))
        if upward <= {0, 1} and below_one <= {0, 1}:
            strictly = 0 not in upward and 0 not in below_one
            return Range(Fraction(0), Fraction(1), 0 not in positive, strictly)
        return Range(Fraction(0), low_open=0 not in positive)

    def signs(self, expr: Expr) -> frozenset[int]:
        """The signs an expression can have over the domain, part by part as written, then by its normal form."""
        return Signs(self).of(expr)

    def bounds(self, value: Quotient) -> frozenset[int]:
        """The signs a form can have over the domain, no case assumed."""
        signs = frozenset({1})
        for part in (value.num, value.den):
            if part.is_zero():
                return frozenset({0})
            constant, factors = part.factor()
            signs = frozenset(s * (1 if int(constant) > 0 else -1) for s in signs)
            for poly, exponent in factors:
                of = self.ring.signs(poly) - ({0} if part is value.den else set())
                signs = frozenset(a * b**exponent for a in signs for b in of)
        return signs

    def root(self, value: Quotient, order: int) -> Quotient:
        """The `order`-th root of a form, with what can be drawn out of it drawn out."""
        ring = self.ring
        if order == 1:
            return value
        if value.num.is_zero():
            return value
        exponents: list[tuple[Poly, int]] = []
        top, factors = value.num.factor()
        exponents += [(poly, int(e)) for poly, e in factors]
        bottom, factors = value.den.factor()
        exponents += [(poly, -int(e)) for poly, e in factors]
        total = Quotient(ring.one, ring.one)
        inside, negative = ring.one, int(top) * int(bottom) < 0
        for poly, exponent in exponents:
            whole, rest = divmod(exponent, order)
            signs = self.possible(poly)
            if signs == {0}:
                return Quotient(ring.zero, ring.one) if exponent > 0 else self._fail()
            settled = 1 not in signs or -1 not in signs
            turning = bool(whole and order % 2 == 0 and whole % 2 and not settled)
            if turning and self.branching:
                raise Split(poly, signs)
            if turning:
                total = ring.multiply(total, ring.power(self._absolute(poly), whole))
            elif whole:
                outside = -poly if 1 not in signs and order % 2 == 0 and whole % 2 else poly
                total = ring.multiply(total, ring.power(Quotient(outside, ring.one), whole))
            if rest and -1 not in signs:
                total = ring.multiply(total, ring.power(self._radical(poly, order), rest))
            elif rest and 1 not in signs:
                total = ring.multiply(total, ring.power(self._radical(-poly, order), rest))
                negative ^= bool(rest % 2)
            elif rest:
                inside *= poly**rest
        if negative:
            inside = -inside
        if inside.is_constant():
            if negative:
                self._fail()
        else:
            total = ring.multiply(total, self._radical(inside, order))
        return ring.multiply(total, self._number(Rational(abs(int(top)), abs(int(bottom))), order))

    def _fail(self) -> Quotient:
        raise Undefined

    def _number(self, value: Rational, order: int) -> Quotient:
        total = Quotient(self.ring.one, self.ring.one)
        # a cofactor without small primes is taken as a prime: a square hidden in it is left undrawn, not misread
        for prime, exponent in sympy.factorrat(value, limit=1 << 12).items():
            whole, rest = divmod(int(exponent), order)
            total = self.ring.multiply(total, self.ring.constant(Integer(prime) ** whole))
            if rest:
                radical = self._radical(self.ring.context.constant(int(prime)), order)
                total = self.ring.multiply(total, self.ring.power(radical, rest))
        return total

    def _radical(self, poly: Poly, order: int) -> Quotient:
        ring = self.ring
        for i, generator in enumerate(ring.generators):
            if generator.root == order and generator.radicand == poly:
                return Quotient(ring.variables[i], ring.one)
        inner = ring.expression(Quotient(poly, ring.one))
        strictly = 0 not in self.ring.signs(poly)
        values = Range(Fraction(0), low_open=strictly)
        generator = Generator(sympy.Pow(inner, Rational(1, order)), values, order, poly)
        return Quotient(ring.add_generator(generator), ring.one)

    def _opaque(self, function: Callable[..., Expr], args: tuple[Expr, ...], values: Range) -> Quotient:
        """A function nothing is known of but its arguments: one generator for equal arguments."""
        shown = tuple(self.ring.expression(self.form(arg)) for arg in args)
        expr = function(*shown, evaluate=False)
        key = (expr, Integer(0))
        if key not in self.keyed:
            self.keyed[key] = self.ring.add_generator(Generator(expr, values))
        return Quotient(self.keyed[key], self.ring.one)


COMPARED: dict[type, frozenset[int]] = {
    sympy.StrictGreaterThan: frozenset({1}),
    sympy.GreaterThan: frozenset({0, 1}),
    sympy.StrictLessThan: frozenset({-1}),
    sympy.LessThan: frozenset({-1, 0}),
    sympy.Equality: frozenset({0}),
    sympy.Unequality: frozenset({-1, 1}),
}
"""The signs of left - right for which each comparison holds."""

__all__ = ["ANY", "COMPARED", "Field", "Full", "Split", "Undefined"]
