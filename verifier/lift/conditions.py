"""Conditions as nodes: comparisons of one pair combine by which of <, =, > they admit; branches see what is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from verifier.lift.nodes import FALSE, INFINITY, NAN, ONE, TRUE, ZERO, Node, Odd, const, make, number
from verifier.lift.ranges import range_of, ranges

LESS, EQUAL, MORE = 1, 2, 4
_ALL = LESS | EQUAL | MORE
_SWAPPED = {0: 0, 1: 4, 2: 2, 3: 6, 4: 1, 5: 5, 6: 3, 7: 7}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}
_ADMITS = {"lt": LESS, "le": LESS | EQUAL, "eq": EQUAL, "ne": LESS | MORE}


def real(node: Node) -> Node:
    """The node as a number: a condition counts as 1 where it holds and 0 elsewhere, as a bool tensor does."""
    return where(node, ONE, ZERO) if node.is_condition else node


def truth(node: Node) -> Node:
    """The node as a condition: a number holds where it is not zero."""
    return node if node.is_condition else compare("ne", node, ZERO)


def _admitted(a: Node, b: Node) -> int:
    """Which of a < b, a = b, a > b the ranges of two symbols or constants leave possible."""
    x, y = range_of(a), range_of(b)
    if x is None or y is None:
        return _ALL
    possible = _ALL
    for one, two, less in ((x, y, LESS), (y, x, MORE)):
        if one.high is not None and two.low is not None:
            if one.high < two.low or (one.high == two.low and (one.high_open or two.low_open)):
                possible &= less
            elif one.high == two.low:
                possible &= less | EQUAL
    return possible


def compare(op: str, a: Node, b: Node) -> Node:
    """The condition a < b ('lt'), a <= b, a == b or a != b; pushed into `where` and through `sign`."""
    a, b = real(a), real(b)
    if a is b:
        return TRUE if op in ("le", "eq") else FALSE
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return TRUE if _COMPARE[op](x, y) else FALSE
    for end, other, flipped in ((a, b, False), (b, a, True)):
        if end.op == "const" and isinstance(end.args[0], Odd) and other.op != "const":  # finite against infinite
            if end is NAN:
                return TRUE if op == "ne" else FALSE
            below = (end is INFINITY) == flipped  # a < b holds
            return TRUE if {"lt": below, "le": below, "eq": False, "ne": True}[op] else FALSE
    if a.op == "where" and (y is not None or b.op == "sym"):
        return where(a.args[0], compare(op, a.args[1], b), compare(op, a.args[2], b))
    if b.op == "where" and (x is not None or a.op == "sym"):
        return where(b.args[0], compare(op, a, b.args[1]), compare(op, a, b.args[2]))
    if y == 0 and a.op == "sign":
        return compare(op, a.args[0], b)
    if x == 0 and b.op == "sign":
        return compare(op, a, b.args[0])
    if y is not None and a.op == "mul" and (c := number(a.args[0])) is not None and c != 1:
        return compare(op, a.args[1], const(y / c)) if c > 0 else compare(op, const(y / c), a.args[1])
    if x is not None and b.op == "mul" and (c := number(b.args[0])) is not None and c != 1:
        return compare(op, const(x / c), b.args[1]) if c > 0 else compare(op, b.args[1], const(x / c))
    if y is not None and a.op == "add" and (c := number(a.args[0])) is not None:
        return compare(op, a.args[1], const(y - c))
    if x is not None and b.op == "add" and (c := number(b.args[0])) is not None:
        return compare(op, const(x - c), b.args[1])
    if op == "lt" and x == 0 and b.op == "sqrt":  # where the root is defined
        return compare("ne", b.args[0], ZERO)
    if op == "ne" and y == 0 and (factors := _factors(a)) is not None:
        return both(compare("ne", factors[0], ZERO), compare("ne", factors[1], ZERO))
    if op == "ne" and x == 0:
        return compare("ne", b, a)
    if x == 0 and (b.op == "sqrt" or b.op == "abs"):
        if op == "le":
            return TRUE
    elif y == 0 and (a.op == "sqrt" or a.op == "abs") and op == "lt":
        return FALSE
    if ranges:
        possible = _admitted(a, b)
        if not possible & _ADMITS[op]:
            return FALSE
        if not possible & ~_ADMITS[op]:
            return TRUE
    return _atom(_ADMITS[op], a, b)


def _factors(node: Node) -> tuple[Node, Node] | None:
    """What must not be 0 for a product or quotient not to be 0, where that is shorter to say."""
    if node.op == "mul" and any(f.op in ("add", "div", "mul") for f in node.args):
        return node.args[0], node.args[1]
    return (node.args[0], ONE) if node.op == "div" else None


def _atom(admits: int, a: Node, b: Node) -> Node:
    """The comparison that holds for the given ones of a < b, a = b, a > b."""
    if admits == 0:
        return FALSE
    if admits == _ALL:
        return TRUE
    if admits in (EQUAL, LESS | MORE):
        if a.serial > b.serial:
            a, b = b, a
        return make("eq" if admits == EQUAL else "ne", a, b)
    if admits & MORE:
        a, b, admits = b, a, _SWAPPED[admits]
    return make("lt" if admits == LESS else "le", a, b)


def _split(node: Node) -> tuple[Node, Node, int] | None:
    """A comparison as an ordered pair and which of <, =, > it admits."""
    admits = _ADMITS.get(node.op)
    if admits is None:
        return None
    a, b = node.args
    return (a, b, admits) if a.serial <= b.serial else (b, a, _SWAPPED[admits])


def _combine(a: Node, b: Node, intersect: bool) -> Node | None:
    """Two comparisons of the same pair as one."""
    x, y = _split(a), _split(b)
    if x is None or y is None or x[0] is not y[0] or x[1] is not y[1]:
        return None
    return _atom(x[2] & y[2] if intersect else x[2] | y[2], x[0], x[1])


def restrict(node: Node, known: Node) -> Node:
    """`node` where `known` holds: branches that `known` decides are taken."""
    while node.op == "where":
        decided = _combine(known, node.args[0], True)
        if decided is None:
            break
        if decided is FALSE:
            node = node.args[2]
        elif decided is known:
            node = node.args[1]
        else:
            rest = _combine(known, negate(node.args[0]), True)
            assert rest is not None
            return where(node.args[0], restrict(node.args[1], decided), restrict(node.args[2], rest))
    return node


def _bound(node: Node) -> tuple[Node, Fraction, str] | None:
    """A comparison of an expression with a number as (expression, number, 'above' | 'below' | its op)."""
    if node.op not in _ADMITS:
        return None
    a, b = node.args
    if (x := number(a)) is not None:
        return b, x, "above" if node.op in ("lt", "le") else node.op
    if (y := number(b)) is not None:
        return a, y, "below" if node.op in ("lt", "le") else node.op
    return None


def _implies(a: Node, b: Node) -> bool:
    """Whether x > 5 says x != 4 or x > 3 as well."""
    one, two = _bound(a), _bound(b)
    if one is None or two is None or one[0] is not two[0] or one[2] not in ("above", "below"):
        return False
    beyond = one[1] > two[1] if one[2] == "above" else one[1] < two[1]
    return beyond and two[2] in (one[2], "ne")


def negate(a: Node) -> Node:
    """The opposite condition."""
    a = truth(a)
    if a is TRUE or a is FALSE:
        return FALSE if a is TRUE else TRUE
    if a.op == "not":
        return a.args[0]  # type: ignore[no-any-return]
    if a.op in ("eq", "ne"):
        return make("ne" if a.op == "eq" else "eq", *a.args)
    if a.op in ("lt", "le"):  # for real numbers; a NaN takes neither side
        return make("le" if a.op == "lt" else "lt", a.args[1], a.args[0])
    return make("not", a)


def both(a: Node, b: Node) -> Node:
    """a and b."""
    a, b = truth(a), truth(b)
    if a is FALSE or b is FALSE:
        return FALSE
    if a is TRUE or a is b:
        return b
    if b is TRUE:
        return a
    for one, two in ((a, b), (b, a)):
        if (combined := _combine(one, two, True)) is not None:
            return combined
        if _implies(one, two):
            return one
        if two.op == "and" and any(_implies(one, part) for part in two.args):
            rest = [part for part in two.args if not _implies(one, part)]
            return both(one, rest[0]) if rest else one
        if two.op == "and" and (combined := _combine(one, two.args[0], True)) is not None:
            return both(combined, two.args[1])
        if two.op == "and" and (combined := _combine(one, two.args[1], True)) is not None:
            return both(two.args[0], combined)
    return make("and", *sorted((a, b), key=lambda n: n.serial))


def either(a: Node, b: Node) -> Node:
    """a or b."""
    a, b = truth(a), truth(b)
    if a is TRUE or b is TRUE:
        return TRUE
    if a is FALSE or a is b:
        return b
    if b is FALSE:
        return a
    if (combined := _combine(a, b, False)) is not None:
        return combined
    return make("or", *sorted((a, b), key=lambda n: n.serial))


def where(condition: Node, a: Node, b: Node) -> Node:
    """a where the condition holds, else b. Of two conditions, the condition."""
    condition = truth(condition)
    if condition is TRUE:
        return a
    if condition is FALSE or a is b:
        return b
    if a.is_condition and b.is_condition:
        return either(both(condition, a), both(negate(condition), b))
    a, b = restrict(real(a), condition), restrict(real(b), negate(condition))
    if a is b:
        return b
    return make("where", condition, a, b)
