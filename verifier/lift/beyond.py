"""A step where a bound is out of reach: larger than all it is compared with, as where clipping clips nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from verifier.lift import expr
from verifier.lift.explore import Explored
from verifier.lift.expr import Node
from verifier.lift.memory import Nodes
from verifier.lift.ranges import range_of
from verifier.lift.scalars import Condition

FAR = 1e12
"""A value of an option that nothing which a lift runs comes near."""

_COMPARED = frozenset({"min", "max", "lt", "le"})
_NEVER = expr.const(-np.inf)


def bounds(explored: Explored) -> list[str]:
    """The hyperparameters that a step compares with gradients, or takes extremes of with them."""
    found: set[str] = set()
    for node in expr.postorder(explored.results.values()):
        if node.op in _COMPARED:
            read = expr.symbols(node)
            if any(s.args[0] == "g" for s in read):
                found |= {s.args[0] for s in read if s.args[1] is None and s.args[0] != "t"}
    return sorted(found)


def lone(explored: Explored, bound: str) -> bool:
    """Whether each element steps by itself, and without `bound`, once that is out of reach: as one step shows it."""
    (theta,) = _far([explored.results["theta 0 0"]], expr.sym(bound))
    return not _odd(theta) and all(s.args[1] in ((0, 0), None) and s.args[0] != bound for s in expr.symbols(theta))


def released(explored: Explored, bound: str) -> Explored | None:
    """The step where `bound` is larger than all it is compared with; None where it reads the bound even then."""
    main = explored.main
    kept = [*explored.results.values(), *(n for nodes in main.theta_first for n in nodes)]
    kept += [n for v in main.variables for n in v.first]
    conditions = [c.node for c in (*explored.assumed, *main.first_conditions)]
    roots = [*kept, *conditions]
    new = dict(zip(roots, _far(roots, expr.sym(bound)), strict=True))
    if any(expr.sym(bound) in expr.symbols(new[n]) or _odd(new[n]) for n in kept):
        return None
    assumed, early = (_held(some, new) for some in (explored.assumed, main.first_conditions))
    if assumed is None or early is None:
        return None
    main = replace(
        main,
        theta_first=[_each(nodes, new) for nodes in main.theta_first],
        variables=[replace(v, first=_each(v.first, new)) for v in main.variables],
        first_conditions=early,
    )
    results = {name: new[n] for name, n in explored.results.items()}
    return replace(explored, main=main, results=results, assumed=assumed)


def _far(roots: Iterable[Node], bound: Node) -> list[Node]:
    """The roots where a symbol is infinite, as far as that decides what they are; else with the symbol in them."""
    roots = list(roots)
    new: dict[Node, Node] = {bound: expr.INFINITY}
    for node in sorted(expr.postorder(roots), key=lambda n: n.serial):
        if node in new:
            continue
        args = () if node.op in expr.LEAVES else tuple(new[a] for a in node.args)
        if node.op in expr.LEAVES or all(x is y for x, y in zip(args, node.args, strict=True)):
            new[node] = node
            continue
        end = _end(node.op, args)
        build = expr.BUILD.get(node.op)
        new[node] = end if end is not None else build(*args) if build else expr.function(node.op, *args)
    return [new[r] for r in roots]


def _end(op: str, args: tuple[Node, ...]) -> Node | None:
    """What an infinite operand makes of an operation; None where there is none, or nothing is known."""
    infinite = [a for a in args if a in (expr.INFINITY, _NEVER)]
    if len(infinite) != 1:
        return None
    (end,) = infinite
    other = next((a for a in args if a is not end), expr.ONE)
    known = range_of(other)
    if op in ("lt", "le", "eq", "ne"):
        holds = op == "ne" or (op != "eq" and (args[0] is _NEVER or args[1] is expr.INFINITY))
        return expr.TRUE if holds else expr.FALSE
    if op == "mul" and other is expr.ZERO:
        return expr.NAN
    if op == "add":
        return end
    if op in ("sqrt", "abs"):
        return expr.INFINITY
    if op == "div" and args[1] is end:
        return expr.ZERO
    if op in ("mul", "div") and known is not None and (known.positive or (op == "div" and known.nonnegative)):
        return end
    if op == "mul" and known is not None and known.high is not None and known.high < 0:
        return _NEVER if end is expr.INFINITY else expr.INFINITY
    return None


def _odd(node: Node) -> bool:
    """Whether anything in an expression is infinite, or no number."""
    return any(n.op == "const" and expr.number(n) is None for n in expr.postorder([node]))


def _each(nodes: Nodes, new: Mapping[Node, Node]) -> Nodes:
    made = nodes.copy()
    for k, node in enumerate(nodes):
        made[k] = new[node]
    return made


def _held(conditions: Iterable[Condition], new: Mapping[Node, Node]) -> list[Condition] | None:
    """The conditions that are left open; None where one of them cannot hold."""
    left = []
    for c in conditions:
        now = replace(c, node=new[c.node])
        if now.assumed is expr.FALSE:
            return None
        if now.assumed is not expr.TRUE:
            left.append(now)
    return left
