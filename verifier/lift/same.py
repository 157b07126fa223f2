"""Whether two lifted expressions are equal for all values: identity, a point that parts them, algebra."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Iterator, Mapping
from fractions import Fraction

import sympy
from sympy import Interval, Rational, S, Symbol

from verifier.equality.field import Field, Full, Undefined
from verifier.equality.normal import Domain, equal
from verifier.lift import expr
from verifier.lift.evaluate import values
from verifier.lift.expr import Node
from verifier.lift.merged import SMALL, merged
from verifier.lift.nodes import computed
from verifier.lift.ranges import Range, ranges
from verifier.lift.symbolic import symbol, to_sympy

_POINTS = 12  # at which expressions are compared that algebra cannot
_TRIES = 8  # draws for each such point: some have no value, as the root of what is negative has none


def random_point(symbols: set[Node], seed: int, domain: Domain | None = None) -> dict[Node, float]:
    """A value for each symbol, inside the range known of it, while a lift runs or in a `domain`; hyperparameters and
    state without one are positive.

    Every other point has them below one: nothing checks the rates of some classes, and 1 - beta**t has to be positive.
    """
    most = 2 if seed % 2 == 0 else 0.95
    draw = random.Random(seed)
    point: dict[Node, float] = {}
    for s in sorted(symbols, key=repr):
        known = ranges.get(s) or _range((domain or {}).get(symbol(s)))
        if s.args[0] == "t":
            point[s] = float(draw.randint(2, 40))
        elif known.low is not None and known.high is not None:
            point[s] = float(known.low) + float(known.high - known.low) * draw.uniform(0.05, 0.95)
        elif s.args[0] in ("theta", "g"):
            point[s] = draw.uniform(0.2, 2) * draw.choice((-1, 1))
        else:
            point[s] = float(known.low or 0) + draw.uniform(0.05, most)
    return point


def differ(a: Node, b: Node, points: int = 3, domain: Domain | None = None) -> Mapping[Node, float] | None:
    """A point, of `domain` where there is one, where the two certainly differ: by more than rounding could explain."""
    return next((point for point, apart in _compared(a, b, points, domain) if apart), None)


def comparable(a: Node, b: Node) -> bool:
    """Whether there is a point at which both have values, so that not to differ says something."""
    return any(True for _ in _compared(a, b, 1))


def _compared(
    a: Node, b: Node, points: int, domain: Domain | None = None
) -> Iterator[tuple[Mapping[Node, float], bool]]:
    """Points at which both have values, and whether these certainly differ."""
    symbols, found = expr.symbols(a, b), 0
    for seed in range(points * _TRIES):
        point = random_point(symbols, seed, domain)
        (x, ex), (y, ey) = values([a, b], point)
        if not math.isfinite(x + y + ex + ey):
            continue
        yield point, abs(x - y) > ex + ey
        found += 1
        if found == points:
            return


def same(a: Node, b: Node, domain: Domain | None = None) -> bool:
    """Whether two expressions are equal for all values; False where that could not be shown."""
    if a is b:
        return True
    large = expr.size(a, b) > SMALL
    if expr.opaque_leaves(a, b) or differ(a, b, _POINTS if large else 3, domain) is not None:
        return False
    if domain is None:
        domain = {Symbol(s.args[0], real=True): _set(ranges[s]) for s in expr.symbols(a, b) if s in ranges}
        domain = {s: d for s, d in domain.items() if s.name != "t"}
    if large:
        points = [point for point, _ in _compared(a, b, 3, domain)]
        small = functools.partial(_same_of_parts, domain, {})
        for one, two in ((a, b), (b, a)):  # a part that only the first has, and that the second's parts are made of
            left, right = merged(one, two, points, small)
            if left is right:
                return True
    return _same(a, b, domain)


def _same(a: Node, b: Node, domain: Domain) -> bool:
    """Whether algebra shows two expressions to be equal for all values."""
    try:
        left, right = to_sympy([a, b])
    except ValueError:  # undefined, such as Max of a NaN
        return False
    try:
        return equal(left, right, domain).proved
    except TypeError:
        return False


def _same_of_parts(domain: Domain, known: dict[Node, sympy.Set], a: Node, b: Node, parts: Mapping[Node, Node]) -> bool:
    """`_same` where symbols stand for `parts`, of which the signs are computed once, and are `known` then."""
    for part in parts.values():
        if part not in known:
            known[part] = _signed(part, domain)
    return _same(a, b, {**domain, **{symbol(name): known[part] for name, part in parts.items()}})


def _signed(part: Node, domain: Domain) -> sympy.Set:
    """The real numbers of the signs that an expression can have."""
    try:
        signs = Field(domain).signs(to_sympy([part])[0])
    except (ValueError, TypeError, Full, Undefined):  # nothing is known of it
        return S.Reals
    low = S.NegativeInfinity if -1 in signs else S.Zero
    high = S.Infinity if 1 in signs else S.Zero
    return Interval(low, high, 0 not in signs, 0 not in signs)


def same_but_for_constants(a: Node, b: Node) -> bool:
    """Whether two expressions agree within what computing their constants in doubles may have rounded.

    A constant that the code computes of constants is known as a double alone: `1 - 0.999` is off by 2**-54, while
    `1 - 0.999**t`, in which t is followed, is known exactly.
    """
    constants = {c: expr.sym(f"constant {k}") for k, c in enumerate(filter(computed, expr.postorder([a, b])))}
    if not constants or expr.opaque_leaves(a, b):
        return False
    known = {s: (float(c.args[0]), 2.0**-53 * max(1.0, abs(float(c.args[0])))) for c, s in constants.items()}
    roots = expr.rebuild([a, b], constants)
    for seed in range(_POINTS):
        point = random_point(expr.symbols(*roots) - set(known), seed)
        (x, ex), (y, ey) = values(roots, {**point, **known})
        if not (math.isfinite(ex) and math.isfinite(ey) and abs(x - y) <= ex + ey):
            return False
    return True


def _range(known: sympy.Set | None) -> Range:
    """The same of an interval of a domain."""
    if not isinstance(known, Interval):
        return Range()
    low, high = (None if end.is_infinite else Fraction(str(Rational(end))) for end in (known.inf, known.sup))
    return Range(low, high, bool(known.left_open), bool(known.right_open))


def _set(known: Range) -> object:
    low = S.NegativeInfinity if known.low is None else Rational(known.low.numerator, known.low.denominator)
    high = S.Infinity if known.high is None else Rational(known.high.numerator, known.high.denominator)
    return Interval(low, high, known.low_open, known.high_open)
