"""Whether two expressions are equal for all real values: proved by normal form, refuted by a witness, or undecided."""

from __future__ import annotations

import enum
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import sympy
from sympy import Expr, Symbol
from sympy.core.relational import Relational

from verifier.equality import witness
from verifier.equality.field import COMPARED, Field, Split
from verifier.equality.polynomials import Full, Poly, Range, Undefined

CASES = 400  # sign cases decided apart before a question is given up as undecided
POINTS = 24  # points tried where normal forms differ
Domain = Mapping[Symbol, sympy.Set]


class Status(enum.Enum):
    """What is known of a claim; only PROVED is a proof."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    STATED = "stated"

    @property
    def sentence(self) -> str:
        return {
            "proved": "shown for all real values of its domain",
            "refuted": "false, with a point that shows it",
            "undecided": "neither shown nor refuted",
            "stated": "implied by documentation, not by a formula",
        }[self.value]


@dataclass(frozen=True)
class Decision:
    """The answer to one question, the method that gave it, and the point that refutes it if one does."""

    status: Status
    method: str
    witness: Mapping[str, str] | None = None  # symbol -> rational, as text
    difference: str = ""
    cases: int = 0
    seconds: float = 0.0

    @property
    def proved(self) -> bool:
        return self.status is Status.PROVED


def equal(left: Expr, right: Expr, domain: Domain | None = None, where: Iterable[sympy.Basic] = ()) -> Decision:
    """Whether left == right wherever both are defined, for every point of `domain` that meets `where`.

    Symbols without a set in `domain` range over what their assumptions say. Denominators and radicands are taken as
    admissible: collect them with `conditions` before building what is compared. TypeError names a function that has
    no normal form.
    """
    return _decide(sympy.sympify(left), sympy.sympify(right), domain or {}, tuple(where), "==")


def nonnegative(expr: Expr, domain: Domain | None = None, where: Iterable[sympy.Basic] = ()) -> Decision:
    """Whether expr >= 0 wherever it is defined, for every point of `domain` that meets `where`."""
    return _decide(sympy.sympify(expr), sympy.Integer(0), domain or {}, tuple(where), ">=")


def counterexample(
    left: Expr, right: Expr, domain: Domain, where: Iterable[sympy.Basic] = (), relation: str = "==", tries: int = 8
) -> dict[str, str] | None:
    """A point at which left == right (or left >= right) certainly fails, among the first `tries`; None without one.

    Quicker than `equal` where a proof is not wanted: no normal form is computed.
    """
    if left == right:
        return None
    found = _refute(left, right, domain, tuple(where), relation, tries)
    return found[0] if found else None


def _decide(left: Expr, right: Expr, domain: Domain, where: tuple[sympy.Basic, ...], relation: str) -> Decision:
    started = time.perf_counter()

    def decision(status: Status, method: str, cases: int = 0, **found: object) -> Decision:
        return Decision(status, method, cases=cases, seconds=time.perf_counter() - started, **found)  # type: ignore[arg-type]

    if left == right:
        return decision(Status.PROVED, "identical")
    if relation == ">=" and -1 not in Field(domain, 64).signs(left):
        return decision(Status.PROVED, "signs of the parts")
    refuted = _refute(left, right, domain, where, relation, 3)
    if refuted is None:
        try:
            proved, cases = _prove(left, right, domain, where, relation)
        except Undefined:
            return decision(Status.UNDECIDED, "undefined on its whole domain")
        if proved:
            return decision(Status.PROVED, "normal form" if cases == 1 else f"normal form in {cases} sign cases", cases)
        refuted = _refute(left, right, domain, where, relation, POINTS)
    if refuted is None:
        return decision(Status.UNDECIDED, f"normal forms differ, {POINTS} points do not")
    point, text = refuted
    return decision(Status.REFUTED, "exact evaluation", witness=point, difference=text)


def _prove(left: Expr, right: Expr, domain: Domain, where: tuple[sympy.Basic, ...], relation: str) -> tuple[bool, int]:
    """Whether every sign case is settled by its normal form, and the number of cases."""
    capacity = 32 + 2 * len(left.free_symbols | right.free_symbols)
    while True:
        try:
            return _prove_in(Field(domain, capacity), left, right, where, relation)
        except Full:
            capacity *= 2


def _prove_in(field: Field, left: Expr, right: Expr, where: tuple[sympy.Basic, ...], relation: str) -> tuple[bool, int]:
    pending: list[list[tuple[Poly, int]]] = [[]]
    cases = 0
    while pending:
        assumed = pending.pop()
        if cases >= CASES:
            return False, cases
        field.assume(assumed)
        try:
            if not all(field.holds(guard) for guard in where):
                continue
            one, two = field.form(left), field.form(right)
            if relation == "==":
                if one != two and not _zero(field, one.num * two.den - two.num * one.den):
                    return False, cases
            elif field.sign(field.ring.add(one, two._replace(num=-two.num))) < 0:
                return False, cases
            cases += 1
        except Split as split:
            pending += [[*assumed, (split.poly, sign)] for sign in sorted(split.signs)]
        except Undefined:
            if not assumed:
                raise
    return True, cases


def _zero(field: Field, poly: Poly) -> bool:
    """Whether a numerator vanishes, by the root relations and the polynomials assumed to be zero."""
    poly = field.ring.reduce(poly)
    for other, sign in field.cases:
        if sign == 0 and not poly.is_zero():
            poly = divmod(poly, other)[1]
    return bool(poly.is_zero())


def _refute(
    left: Expr, right: Expr, domain: Domain, where: tuple[sympy.Basic, ...], relation: str, tries: int
) -> tuple[dict[str, str], str] | None:
    """A point where the relation certainly fails, and both values there."""
    symbols = sorted(left.free_symbols | right.free_symbols | {s for w in where for s in w.free_symbols}, key=str)
    for point in islice(witness.points(symbols, domain), tries if symbols else 1):
        try:
            if where and not witness.meets(where, point):
                continue
            sign = witness.certified_sign(witness.difference(left, right, point))
        except witness.Undecidable:
            continue
        if sign is not None and (sign < 0 or (relation == "==" and sign > 0)):
            values = [witness.shown(witness.evaluate(side, point)) for side in (left, right)]
            text = f"{values[0]} is not {values[1]}" if relation == "==" else f"{values[0]} < {values[1]}"
            return {str(s): str(v) for s, v in point.items()}, text
    return None


def conditions(lines: Iterable[Expr], domain: Domain | None = None) -> tuple[sympy.Basic, ...]:
    """What must hold for every line to be defined, less what `domain` implies; collected before any simplification.

    Denominators must not vanish, radicands must not be negative, logarithms need positive arguments. What stands in a
    branch of a Piecewise is asked for under its guard alone.
    """
    found: dict[sympy.Basic, None] = {}

    def visit(node: sympy.Basic, guard: sympy.Basic) -> None:
        if isinstance(node, sympy.Piecewise):
            earlier: sympy.Basic = sympy.true
            for value, condition in node.args:
                visit(condition, guard)
                visit(value, sympy.And(guard, earlier, condition))
                earlier = sympy.And(earlier, sympy.Not(condition))
            return
        for condition in _needs(node):
            found[condition if guard == sympy.true else sympy.Or(sympy.Not(guard), condition)] = None
        for arg in node.args:
            visit(arg, guard)

    for line in lines:
        visit(sympy.sympify(line), sympy.true)
    return unmet(found, domain or {})


def unmet(found: Iterable[sympy.Basic], domain: Domain) -> tuple[sympy.Basic, ...]:
    """Those conditions that `domain` does not imply, each once; false stands for a condition that never holds."""
    field = Field(domain, 64)
    left: dict[sympy.Basic, None] = {}
    for condition in found:
        if not _implied(field, condition):
            left[condition] = None
    return tuple(left)


def _needs(node: sympy.Basic) -> list[sympy.Basic]:
    if isinstance(node, sympy.log):
        return [sympy.StrictGreaterThan(node.args[0], 0, evaluate=False)]
    if not isinstance(node, sympy.Pow):
        return []
    base, exponent = node.args
    needs: list[sympy.Basic] = []
    if isinstance(exponent, sympy.Rational | sympy.Float) and sympy.Rational(exponent).q % 2 == 0:
        needs.append(sympy.GreaterThan(base, 0, evaluate=False))
    if exponent.is_negative or exponent.could_extract_minus_sign():
        needs.append(sympy.Unequality(base, 0, evaluate=False))
    return needs


def _implied(field: Field, condition: sympy.Basic) -> bool:
    """Whether a condition holds on the whole domain, as far as the signs of its parts tell."""
    if isinstance(condition, sympy.Or):
        return any(_implied(field, arg) for arg in condition.args)
    if isinstance(condition, sympy.And):
        return all(_implied(field, arg) for arg in condition.args)
    if not isinstance(condition, Relational):
        return bool(condition == sympy.true)
    return field.signs(condition.lhs - condition.rhs) <= COMPARED[type(condition)]


__all__ = ["Decision", "Domain", "Range", "Status", "conditions", "counterexample", "equal", "nonnegative", "unmet"]
