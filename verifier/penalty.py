"""Penalties on the weights as sympy, their gradients by differentiation, and the weight_decay that reproduces them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product

import sympy
from sympy import Expr, Integer, Rational, Symbol

from verifier.equality import witness
from verifier.equality.field import Field
from verifier.equality.normal import Domain, equal
from verifier.equality.polynomials import Full, Undefined
from verifier.law import domain_of
from verifier.rule import Rule, t, transition

w = Symbol("w", real=True)
"""One weight."""
lam = Symbol("lam", real=True)
"""The strength of a penalty."""
ratio = Symbol("ratio", real=True)
"""The share of L1 in an elastic net."""

TERMS = 300  # of a numerator that is worth factoring
STRENGTH: Domain = {lam: sympy.Interval(0, 1), ratio: sympy.Interval(0, 1)}


@dataclass(frozen=True)
class Penalty:
    """What is added to the loss for each weight w."""

    name: str
    term: Expr  # of one weight w

    @property
    def gradient(self) -> Expr:
        """d term / d w, by differentiation."""
        return sympy.diff(self.term, w)

    @property
    def negative_gradient(self) -> Expr:
        """What descent adds to a weight's update: -2*lam*w for L2."""
        return sympy.diff(-self.term, w)

    def at(self, theta: Expr) -> Expr:
        """The gradient at the weight `theta`."""
        return self.gradient.xreplace({w: theta})


L2 = Penalty("L2", lam * w**2)
L1 = Penalty("L1", lam * sympy.Abs(w))
ELASTIC_NET = Penalty("elastic net", lam * (ratio * sympy.Abs(w) + (1 - ratio) * w**2))


@dataclass(frozen=True)
class Solution:
    """The weight_decay that makes a rule step as it does on the penalised loss, or points that admit none.

    `value` is the solution, proved equal for theta and every state variable; None where there is none. Then
    `witness` holds two rational points and the values of weight_decay each of them admits, which have none in common;
    both empty where the question was not settled.
    """

    rule: str
    penalty: str
    value: Expr | None
    method: str
    witness: tuple[Mapping[str, str], ...] = ()

    @property
    def settled(self) -> bool:
        return self.value is not None or bool(self.witness)


@cache
def weight_decay(rule: Rule, penalty: Penalty = L2, *, witnesses: bool = True) -> Solution:
    """The weight_decay under which `rule` does what it does without decay on loss + penalty, solved for.

    Where there is none, two runs that show it are looked for, unless `witnesses` is false.
    KeyError where the rule has no weight_decay.
    """
    wd = rule.symbol("weight_decay")
    penalised = {wd: Integer(0), rule.grad: rule.grad + penalty.at(rule.theta)}
    once = transition(rule)
    return _solved(rule, penalty.name, once, {s: e.xreplace(penalised) for s, e in once.items()}, wd, witnesses)


@cache
def rescaled(rule: Rule) -> Solution:
    """The weight_decay under which `rule` shrinks weights as fully decoupled decay by (1 - lam) does, solved for.

    Fully decoupled: theta is multiplied by 1 - lam, and the gradient step is the rule's own without decay.
    """
    wd = rule.symbol("weight_decay")
    once = transition(rule)
    step = {s: e.xreplace({wd: Integer(0)}) for s, e in once.items()}
    decoupled = {**step, rule.theta: step[rule.theta] - lam * rule.theta}
    return _solved(rule, "fully decoupled decay", once, decoupled, wd, True)


def _solved(
    rule: Rule, name: str, once: Mapping[Symbol, Expr], wanted: Mapping[Symbol, Expr], wd: Symbol, witnesses: bool
) -> Solution:
    domain = {**domain_of(rule), **STRENGTH}
    domain[wd] = sympy.Interval(0, sympy.oo)
    varying = {rule.theta, rule.grad, t, *rule.state}
    for s in (*rule.state, rule.theta):  # the state's lines are the simpler equations
        for value in _roots(once[s] - wanted[s], wd, domain):
            if value.free_symbols & varying:
                continue
            if all(equal(once[x].xreplace({wd: value}), wanted[x], domain).proved for x in once):
                return Solution(rule.name, name, value, f"solved in {s}, proved for theta and every state variable")
    points = _no_value(rule, once, wanted, wd) if witnesses else ()
    return Solution(rule.name, name, None, "exact solution sets at two points" if points else "unsettled", points)


def _plain(difference: Expr, domain: Domain) -> Expr:
    """The normal form of a difference."""
    field = Field(domain, 64, branching=False)
    return field.ring.expression(field.form(difference))


def _roots(difference: Expr, unknown: Symbol, domain: Domain) -> list[Expr]:
    """Roots in `unknown` of a difference: those of the factors of its numerator that are linear in it.

    Of a branch on the step's number the one that lasts is taken; what is found is a candidate, to be proved.
    """
    lasting = difference.replace(lambda e: isinstance(e, sympy.Piecewise), lambda e: e.args[-1][0])
    field = Field(domain, 64, branching=False)
    ring, numerator = field.ring, field.form(lasting).num
    at = [i for i, g in enumerate(ring.generators) if unknown in g.meaning.free_symbols]
    if len(at) != 1 or len(numerator.to_dict()) > TERMS:
        return []
    found = []
    for factor, _ in numerator.factor()[1]:
        if factor.degrees()[at[0]] == 1:
            slope = factor.derivative(at[0])
            rest = factor - slope * ring.variables[at[0]]
            found.append(ring.expression(ring.fraction(-rest, slope)))
    return found


# -- no value at all: exact solution sets at two points


def _no_value(
    rule: Rule, once: Mapping[Symbol, Expr], wanted: Mapping[Symbol, Expr], wd: Symbol
) -> tuple[Mapping[str, str], ...]:
    """Two runs for which no one value of weight_decay gives the wanted theta; () where none were found.

    First runs of one step from the initial state, then of two.
    """
    fixed = _fixed(rule, wd)
    seen: list[tuple[dict[str, str], list[Expr]]] = []
    for steps in (1, 2):
        for weight, grad in ((1, 1), (2, 1), (1, 2)):
            given = {**fixed, rule.theta: Integer(weight)}
            try:
                left, right = (_run(rule, side, given, grad, steps) for side in (once, wanted))
                values = _solutions(left, right, wd)
            except (Undefined, Full):
                continue
            if values is None:
                continue
            point = {s.name: str(v) for s, v in given.items() if s in _read(rule) | {lam}}
            point |= {f"{rule.grad.name}_{k}": str(grad) for k in range(1, steps + 1)}
            point["weight_decay"] = ", ".join(str(v) for v in values) or "none"
            for other, found in seen:
                if all(_differ(x, y) for x in values for y in found):
                    return (other, point)
            seen.append((point, values))
    return ()


def _run(rule: Rule, once: Mapping[Symbol, Expr], given: Mapping[Symbol, Expr], grad: int, steps: int) -> Expr:
    """theta after `steps` steps with the same gradient, everything but weight_decay being a number."""
    now = {**given, **{s: sympy.sympify(e).xreplace(dict(given)) for s, e in rule.state.items()}}
    for k in range(1, steps + 1):
        known = {**now, rule.grad: Integer(grad)}
        now |= {s: e.subs(t, k).xreplace(known) for s, e in once.items()}
    return now[rule.theta]


def _fixed(rule: Rule, wd: Symbol) -> dict[Symbol, Expr]:
    """Values of the hyperparameters, chosen so that the usual roots come out rational: 1 - 16/25 = (3/5)^2."""
    exponents = {s for _, e in rule.step for p in sympy.sympify(e).atoms(sympy.Pow) for s in p.exp.free_symbols}
    at_start = {s for e in rule.state.values() for s in sympy.sympify(e).free_symbols} - _read(rule)
    fixed: dict[Symbol, Expr] = {lam: Rational(1, 4), ratio: Rational(1, 2)}
    for s, values in rule.hyper.items():
        chosen = Integer(1) if s in exponents else Rational(16, 25)
        if s in at_start:
            chosen = values.inf
        fixed[s] = chosen if values.contains(chosen) is sympy.true else values.inf + 1
    del fixed[wd]
    return fixed


def _read(rule: Rule) -> set[Symbol]:
    return {s for _, e in rule.step for s in sympy.sympify(e).free_symbols}


def _differ(a: Expr, b: Expr) -> bool:
    """Whether two real numbers certainly differ."""
    return witness.certified_sign(witness.difference(a, b, {})) in (1, -1)


def _solutions(left: Expr, right: Expr, unknown: Symbol) -> list[Expr] | None:
    """Real numbers among which every root of left - right in `unknown` is; None where they could not be listed.

    Absolute values are opened sign by sign; square roots of the unknown are eliminated by squaring, which may add
    numbers that are no roots: those do no harm where two such lists have nothing in common.
    """
    difference = _plain(left - right, {})
    inner = sorted({a.args[0] for a in difference.atoms(sympy.Abs)}, key=str)
    if difference.has(sympy.Max, sympy.Min, sympy.Piecewise) or len(inner) > 2:
        return None
    found: list[Expr] = []
    for signs in product((1, -1), repeat=len(inner)):
        opened = {sympy.Abs(a): sign * a for a, sign in zip(inner, signs, strict=True)}
        roots = _listed(difference.xreplace(opened), unknown)
        if roots is None:
            return None
        for root in roots:
            right = [witness.certified_sign(witness.evaluate(a.xreplace({unknown: root}), {})) for a in inner]
            if all(seen in (sign, 0, None) for seen, sign in zip(right, signs, strict=True)) and root not in found:
                found.append(root)
    return found


def _listed(expr: Expr, unknown: Symbol) -> list[Expr] | None:
    numerator = sympy.numer(sympy.together(expr))
    radicals = [p for p in numerator.atoms(sympy.Pow) if unknown in p.free_symbols and not p.exp.is_Integer]
    if len(radicals) > 1 or any(p.exp != Rational(1, 2) for p in radicals):
        return None
    for root in radicals:
        s = sympy.Dummy()
        over, under = sympy.fraction(sympy.together(root.base))
        numerator = sympy.resultant(numerator.xreplace({root: s}), under * s**2 - over, s)
    if not numerator.is_polynomial(unknown):
        return None
    polynomial = sympy.Poly(numerator, unknown)
    if polynomial.is_zero:
        return None
    if polynomial.degree() > 4:
        return None  # exact roots would take longer than they are worth
    if polynomial.degree() == 0:
        return []
    if polynomial.degree() == 1:
        a, b = polynomial.all_coeffs()
        return [-b / a]
    if not all(c.is_Rational for c in polynomial.all_coeffs()):
        return None
    roots = polynomial.real_roots()
    return None if any(root.has(sympy.CRootOf) for root in roots) else roots
