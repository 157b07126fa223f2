"""What a lift must pass before it is shown: the real code's numbers, elements and tensors apart from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from verifier.lift import expr
from verifier.lift.construct import Recipe
from verifier.lift.evaluate import holds, values
from verifier.lift.explore import Explored
from verifier.lift.expr import Node
from verifier.lift.observe import Observation, Stuck, Variable, observe
from verifier.lift.same import same


def remembered(explored: Explored) -> list[str]:
    """The results a rule is made of: theta, tensors, and those plain numbers that theta or they depend on.

    Numbers nothing reads are caches, such as the last ten step sizes by step number modulo ten.
    """
    numbers = {v.name for v in explored.main.variables if not v.is_tensor and not v.counter}
    kept = [n for n in explored.results if n.split(" ")[0] not in numbers]
    while True:
        read = {s.args[0] for s in expr.symbols(*(explored.results[n] for n in kept))}
        more = [n for n in explored.results if n not in kept and n.split(" ")[0] in read & numbers]
        if not more:
            return kept
        kept += more


def check(explored: Explored) -> tuple[str, int]:
    """Whether the expressions give what torch computed, at the point of every run; a sentence where they do not."""
    checked = 0
    names = remembered(explored)
    for run in explored.runs:
        if not all(holds(c.assumed, run.point) for c in explored.assumed):
            continue
        point = {s: 0.5 for s in expr.symbols(*explored.results.values())} | run.point  # what a branch has no use for
        found = values([explored.results[n] for n in names], point)
        for name, (value, error) in zip(names, found, strict=True):
            if name not in run.concrete:
                continue
            if value != value and run.concrete[name] != run.concrete[name]:  # undefined, and the code gives NaN
                continue
            checked += 1
            if not abs(value - run.concrete[name]) <= error and not (value != value and error == float("inf")):
                given, place = f"{value:.9g}, the code {run.concrete[name]:.9g}", name.partition(" ")[0]
                return f"the expression lifted for {place} gives {given}, in step {run.t}", checked
    if checked == 0:
        return "the code gives NaN wherever it was run", 0
    first = explored.main
    found = values([n for n, _ in first.first_concrete], first.first_point)
    for (value, error), (_, observed) in zip(found, first.first_concrete, strict=True):
        checked += 1
        if not abs(value - observed) <= error and error != float("inf"):
            return f"the first step lifted gives {value!r}, the code {observed!r}", checked
    return "", checked


def idle(explored: Explored) -> bool:
    """Whether a step leaves every parameter as it was, on every branch: whatever it does, it is not an update."""
    return all(node.op == "sym" and node.args[0] == "theta" for name, node in explored.results.items()
               if name.startswith("theta "))  # fmt: skip


def scalar(v: Variable, shape: tuple[int, ...]) -> bool:
    """Whether a variable is one number for the whole tensor."""
    return v.shape != shape and len(v.after) == 1


def renaming(variables: Sequence[Variable], shape: tuple[int, ...], i: int, k: int) -> dict[Node, Node]:
    """Element k of tensor i renamed to element 0 of tensor 0."""
    table = {expr.sym(n, (i, k)): expr.sym(n, (0, 0)) for n in ("theta", "g")}
    for v in variables:
        owner = -1 if v.owner is None else v.owner
        if owner in (i, -1) and not v.counter:
            table[expr.sym(v.name, (owner, 0 if scalar(v, shape) else k))] = expr.sym(v.name, (0, 0))
    return table


_CLOSURE = frozenset({"loss", *(f"{n}{k}" for n in ("g", "loss") for k in range(2, 10))})


def coupled_by(main: Observation, explored: Explored, apart: bool = False) -> str:
    """Whether an element's step reads other elements: '' if not, else 'elements' or 'tensors'.

    'places' where it reads none, and what it does depends on where in the tensor it stands. `apart`: tensors are in
    groups of their own and may follow different rules.
    """
    for v in main.variables:
        shape = main.shapes[v.owner or 0]
        if not v.counter and v.shape != shape and len(v.after) != 1:
            return "elements"
    early = [n for nodes in main.theta_first for n in nodes]
    early += [n for v in main.variables for nodes in (v.first, v.initial) if nodes is not None for n in nodes]
    if any(map(_of_several, early)):
        return "elements"  # at the first step
    places = False
    reference: dict[str, Node] = {}
    for i, nodes in enumerate(main.theta_after):
        if apart:
            reference = {}
        for k in range(len(nodes)):
            table = renaming(main.variables, main.shapes[i], i, k)
            roots = {"theta": explored.results[f"theta {i} {k}"]}
            for v in main.variables:
                owner = -1 if v.owner is None else v.owner
                if owner in (i, -1):
                    roots[v.name] = explored.results[f"{v.name} {owner} {0 if scalar(v, main.shapes[i]) else k}"]
            for name, node in zip(roots, expr.rebuild(roots.values(), table), strict=True):
                if any(s.args[0] in _CLOSURE for s in expr.symbols(node)):
                    return "closure calls"
                foreign = {s for s in expr.symbols(node) if s.args[1] is not None and s.args[1] != (0, 0)}
                if foreign:
                    return "tensors" if any(s.args[1][0] not in (i, -1) for s in foreign) else "elements"
                if reference.setdefault(name, node) is not node and not same(reference[name], node):
                    places = True
    if not places:
        return ""
    return "elements" if any(_of_several(c.node) for c in (*explored.assumed, *main.first_conditions)) else "places"


def _of_several(node: Node) -> bool:
    """Whether an expression has parameters or gradients of more than one element in it."""
    return len({s.args[1] for s in expr.symbols(node) if s.args[0] in ("theta", "g")}) > 1


def check_other_shapes(recipe: Recipe, explored: Explored, generic: Any) -> tuple[str, int]:
    """Whether the one-element step also gives what torch computes for several tensors of other shapes."""
    if recipe.path in ("groups", "options"):  # tensors of different groups follow different rules
        return "", 0
    return _check_shapes(
        recipe, explored, generic, tuple(s for shape in recipe.shapes for s in (_larger(shape), shape))
    )


def scope(recipe: Recipe, explored: Explored, generic: Any) -> str:
    """'' where the rule also holds for a tensor of other dimension than it was read on; else which it holds for."""
    flat = len(recipe.shapes[0]) == 1
    wrong, _ = _check_shapes(recipe, explored, generic, ((2, 3),) if flat else ((4,),))
    if recipe.path or not wrong:
        return ""
    return f"parameters of {'one dimension' if flat else 'two dimensions'}"


def _check_shapes(
    recipe: Recipe, explored: Explored, generic: Any, shapes: tuple[tuple[int, ...], ...]
) -> tuple[str, int]:
    other = replace(recipe, shapes=shapes)
    try:
        run = observe(other, 2, t=97, generic=generic)
    except Stuck:
        return "", 0
    if not all(holds(c.assumed, run.point) for c in explored.assumed):
        return "", 0
    checked = 0
    for i, shape in enumerate(other.shapes):
        count = len(run.theta_after[i])
        for k in range(count):
            point = dict(run.point)
            for v in run.variables:
                owner = -1 if v.owner is None else v.owner
                if owner in (i, -1):
                    place = 0 if scalar(v, shape) else k
                    node = expr.sym(v.name, (owner, place))
                    if node in run.point:
                        point[expr.sym(v.name, (0 if v.owner is not None else -1, 0))] = run.point[node]
            for n in ("theta", "g"):
                point[expr.sym(n, (0, 0))] = run.point[expr.sym(n, (i, k))]
            ((value, error),) = values([explored.results["theta 0 0"]], point)
            checked += 1
            if not abs(value - run.concrete[f"theta {i} {k}"]) <= error and error != float("inf"):
                return (
                    f"the rule gives {value!r} for element {k} of tensor {i}, the code "
                    f"{run.concrete[f'theta {i} {k}']!r}: tensors or elements are not independent",
                    checked,
                )
    return "", checked


def _larger(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n + 1 for n in shape)
