"""Two expressions with the parts that are equal made one: what is left to compare is smaller than the expressions.

Expressions over all elements of a tensor, with norms in them, soon have more terms than algebra can expand, while they
differ in small parts that repeat. Parts that have the same values at random points are compared from the leaves up,
each over the parts that are one already, which stand as symbols there. (Kuehlmann and Krohm, "Equivalence checking
using cuts and heaps", DAC 1997, do so with circuits.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from verifier.lift import expr
from verifier.lift.evaluate import Bounded, values
from verifier.lift.expr import Node

SMALL = 48
"""Nodes of two parts up to which they are compared; larger ones are their parts, or another matter."""

Equal = Callable[[Node, Node, Mapping[Node, Node]], bool]
"""Whether two expressions are equal for all values of their symbols, of which some stand for parts: symbol -> part."""

_CONDITIONS = frozenset({"lt", "le", "eq", "ne", "and", "or", "not", "true", "false"})


def merged(a: Node, b: Node, points: Iterable[Mapping[Node, float]], equal: Equal) -> tuple[Node, Node]:
    """The two expressions, `b` with parts of `a` in the place of equal ones; the same node twice if all of it is.

    `equal` says whether two small expressions are, for all values of their symbols, and is asked of such as have one
    value at all `points`. A symbol that stands for a part has all of its values and more, so a yes holds of the part.
    """
    every = expr.postorder([a, b])
    at = [dict(zip(every, values(every, point), strict=True)) for point in points]
    own = [n for n in expr.postorder([a]) if n.op not in expr.LEAVES and n.op not in _CONDITIONS]
    of_a = set(expr.postorder([a]))
    table: dict[Node, Node] = {}
    for node in expr.postorder([b]):
        if node in of_a or node.op in expr.LEAVES or node.op in _CONDITIONS:
            continue
        (now,) = expr.rebuild([node], table)
        if now in of_a:
            if now is not node:
                table[node] = now
            continue
        for other in own:
            if all(_alike(known[node], known[other]) for known in at) and _equal(now, other, equal):
                table[node] = other
                break
    return a, expr.rebuild([b], table)[0]


def _alike(one: Bounded, two: Bounded) -> bool:
    (x, ex), (y, ey) = one, two
    return math.isfinite(x + y + ex + ey) and abs(x - y) <= ex + ey


def _equal(a: Node, b: Node, equal: Equal) -> bool:
    """Whether two parts are equal, with what they have in common as symbols.

    What stands on one side alone, while the other has it in something else, is written out: it may be what is there.
    """
    every = expr.postorder([a, b])
    common = set(expr.postorder([a])) & set(expr.postorder([b]))
    while True:
        read = {arg for n in every if n not in common for arg in n.args if isinstance(arg, Node)}
        cut = [n for n in every if n in read & common and n.op not in expr.LEAVES and n.op not in _CONDITIONS]
        names = {n: expr.sym(f"part {k}") for k, n in enumerate(cut)}
        one, two = expr.rebuild([a, b], names)
        if expr.size(one, two) > SMALL:
            return False
        lone = expr.symbols(one) ^ expr.symbols(two)
        alone = [n for n in cut if names[n] in lone]
        if not alone:
            return equal(one, two, {name: part for part, name in names.items()})
        common.discard(alone[-1])
