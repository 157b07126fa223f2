"""Covering the branches of an optimizer's step: concrete runs that take the other side, and one expression of both."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from verifier.lift import construct, expr
from verifier.lift.construct import Hyper, Recipe
from verifier.lift.evaluate import holds
from verifier.lift.expr import Node
from verifier.lift.generic_state import Overflows, T
from verifier.lift.observe import MANY, NATURAL, Observation, Stuck, observe
from verifier.lift.ranges import Range, ranges
from verifier.lift.scalars import Condition

RUNS = 24  # concrete runs a tensor spent on reaching other branches
_REVISIONS = 3  # how often the first runs are repeated when they show more state
_TIMES = (25, 60, 223, 1010, 17, 13, 10, 8, 6, 5, 4, 3, 2)  # generic first: at t = 2, beta**t is beta**2
_EARLIER_T = 113  # what 7 bits hold

Flip = tuple[tuple[Node, bool], ...]
"""Branches in the order taken: condition and side."""

Results = dict[str, Node]
"""What one step leaves behind: 'theta 0 0', 'exp_avg 0 1', ... -> expression."""


@dataclass(eq=False)
class Explored:
    """The step as one expression over all branches reached, and the branches that stayed assumptions."""

    main: Observation
    runs: list[Observation]
    results: Results
    assumed: list[Condition]
    covered: list[Condition] = field(default_factory=list)


def results_of(observation: Observation) -> Results:
    """The expressions after the generic step, by variable, tensor and element."""
    found = {f"theta {i} {k}": n for i, nodes in enumerate(observation.theta_after) for k, n in enumerate(nodes)}
    for v in observation.variables:
        for k, node in enumerate(v.after):
            found[f"{v.name} {-1 if v.owner is None else v.owner} {k}"] = node
    return found


def explore(recipe: Recipe, same: Callable[[Node, Node], bool], generic: Any = construct.generic) -> Explored:
    """Runs the optimizer at enough points to take both sides of its branches, where some run can.

    `same` decides whether two expressions are equal for all values.
    """
    for _ in range(_REVISIONS):
        main = _first(recipe, generic)
        runs = [main]
        with contextlib.suppress(Stuck):
            runs.append(observe(recipe, 1, t=223, generic=generic, natural=MANY))
        known = [frozenset(v.path for v in r.variables) for r in runs]
        if known[0] == known[-1] and not any(r.missed for r in runs):
            break
        recipe = replace(recipe, stateful=recipe.stateful.union(*known, *(r.missed for r in runs)))
    tried: set[Flip] = set()
    budget = RUNS * len(recipe.shapes)
    while budget > 0:
        flip, source = next(((f, r) for f, r in _flips(runs) if f not in tried), (None, main))
        if flip is None:
            break
        tried.add(flip)
        reached = 0
        for settings in _points(recipe, flip, source):
            budget -= 1
            try:
                run = observe(recipe, generic=generic, **settings)
            except Stuck:
                continue
            runs.append(run)
            reached += _key(run)[: len(flip)] == flip
            if reached == 2 or budget <= 0:  # one to read the branch from, one to check it with
                break
    results, assumed, covered = _merge(main, runs, 0, same)
    return Explored(main, runs, results, assumed, covered)


def _first(recipe: Recipe, generic: Any) -> Observation:
    """The run everything starts from; at an earlier step where 8 bits count the steps, as those wrap at 128."""
    try:
        return observe(recipe, 0, generic=generic)
    except Stuck as stuck:
        if not isinstance(stuck.__cause__, Overflows):
            raise
        return observe(recipe, 0, t=_EARLIER_T, generic=generic)


def _key(run: Observation) -> Flip:
    return tuple((c.node, c.holds) for c in run.conditions)


def _flips(runs: Sequence[Observation]) -> list[tuple[Flip, Observation]]:
    """The prefixes of branches that no run has taken yet, each with the run it turns off from."""
    keys = [_key(r) for r in runs]
    taken = {key[:k] for key in keys for k in range(len(key) + 1)}
    wanted: dict[Flip, Observation] = {}
    for run, key in zip(runs, keys, strict=True):
        for k, (node, side) in enumerate(key):
            other = (*key[:k], (node, not side))
            if other not in taken:
                wanted.setdefault(other, run)
    return list(wanted.items())


def _points(recipe: Recipe, flip: Flip, source: Observation) -> list[dict[str, Any]]:
    """Settings of a run that should take the branches of `flip`; at most three."""
    node, side = flip[-1]
    names = {s.args[0] for s in expr.symbols(node)}
    hypers = {h.name: h for h in recipe.hypers}
    if not names <= {*hypers, "t"}:
        base = source.settings
        equality = _equality(node)
        if equality is not None and (node.op == "eq") is side:
            ((state, value),) = equality.items()
            if expr.number(value) is not None:
                force = {**base["force"], state: float(value.args[0])}
                return [{**base, "force": force}, {**base, "force": force, "seed": base["seed"] + 3}]
        return [{**base, "perturb": False}, {**base, "seed": base["seed"] + 2}, {**base, "t": 2, "perturb": False}]
    found = []
    for settings in _candidates(node, hypers, source):
        if source.missed and settings["t"] <= NATURAL + 1:
            continue  # what is kept by the number of a step is there for those that were taken
        point = {expr.sym(n): v for n, v in settings["values"].items()} | {T: float(settings["t"])}
        if holds(node, point) is side and all(holds(n, point) in (s, None) for n, s in flip[:-1]):
            found.append(settings)
            if len(found) == 3:
                break
    return found


def _candidates(node: Node, hypers: dict[str, Hyper], source: Observation) -> Iterable[dict[str, Any]]:
    base = source.settings
    involved = [hypers[s.args[0]] for s in expr.symbols(node) if s.args[0] in hypers]
    if node.op in ("eq", "ne"):  # a tag is lost at 0 and 1, so only where the question is about these
        for h in involved:
            for special in (0.0, 1.0):
                yield {**base, "values": {**base["values"], h.name: special}}
    for t in (*_TIMES, source.t):
        yield {**base, "t": t}
    draw = random.Random(0)
    for k in range(150):
        times = [t for t in _TIMES if t >= 50] if k < 75 else [*_TIMES]  # small numbers carry no tag
        yield {
            **base,
            "values": {**base["values"], **{h.name: wild(h, draw) for h in involved}},
            "t": draw.choice((*times, source.t)),
            "seed": base["seed"] + 4,
        }


def wild(hyper: Hyper, draw: random.Random) -> float:
    """A value from the whole range the constructor accepts."""
    known = ranges.get(expr.sym(hyper.name), Range())
    low = float(known.low) if known.low is not None else 0.0
    if known.high is not None:
        return low + (float(known.high) - low) * draw.uniform(0.001, 0.999)
    return low + math.exp(draw.uniform(-5, 5))


Merged = tuple[Results, list[Condition], list[Condition]]


def _merge(main: Observation, runs: list[Observation], depth: int, same: Callable[[Node, Node], bool]) -> Merged:
    """One set of expressions for the runs that agree on their first `depth` branches; what it assumes and covers."""
    deeper = [r for r in runs if len(r.conditions) > depth]
    if not deeper:
        return results_of(runs[0]), [], []
    condition = deeper[0].conditions[depth]
    node = condition.node
    sides = {side: [r for r in deeper if r.conditions[depth].node is node and r.conditions[depth].holds is side]
             for side in (True, False)}  # fmt: skip
    if not sides[True] or not sides[False]:
        results, assumed, covered = _merge(main, sides[True] or sides[False], depth + 1, same)
        return results, [condition, *(a for a in assumed if a != condition)], covered
    one, two = (_merge(main, sides[side], depth + 1, same) for side in (True, False))
    equality = _equality(node)
    if equality is not None:
        special, general = (one, two) if node.op == "eq" else (two, one)
        if _covers(general[0], special[0], equality, same):
            extra = [c for c in special[1] if c not in general[1]]
            return general[0], general[1] + extra, [condition, *general[2]]
    if one[0].keys() != two[0].keys():
        side = main in sides[True]
        results, assumed, covered = one if side else two
        return results, [Condition(node, side, condition.site), *assumed], covered
    assumed = one[1] + [c for c in two[1] if c not in one[1]]
    merged = {name: expr.where(node, one[0][name], two[0][name]) for name in one[0]}
    return merged, assumed, [condition, *one[2], *(c for c in two[2] if c not in one[2])]


def _equality(node: Node) -> dict[Node, Node] | None:
    """The substitution an equality allows, where one side of it is a symbol."""
    if node.op not in ("eq", "ne"):
        return None
    a, b = node.args
    if a.op == "sym" and a not in expr.symbols(b) and a is not T:
        return {a: b}
    return {b: a} if b.op == "sym" and b not in expr.symbols(a) and b is not T else None


def _covers(general: Results, special: Results, where: dict[Node, Node], same: Callable[[Node, Node], bool]) -> bool:
    """Whether the general side holds on the special one too: at weight_decay = 0 both are the same."""
    if not special.keys() <= general.keys():
        return False
    names = list(special)
    one = expr.rebuild([general[n] for n in names], where)
    two = expr.rebuild([special[n] for n in names], where)
    return all(x is y or same(x, y) for x, y in zip(one, two, strict=True))
