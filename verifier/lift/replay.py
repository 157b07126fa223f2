"""The finished rule against the real code, from the first step on: what was lost in writing it down shows here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sympy
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from verifier.lift import construct, expr, schedule
from verifier.lift.construct import PENALTY, Hyper, Recipe
from verifier.lift.evaluate import Bounded, holds, values
from verifier.lift.expr import Node
from verifier.lift.memory import tensors_of
from verifier.lift.observe import Observation
from verifier.lift.ranges import ranges
from verifier.lift.scalars import Trace
from verifier.lift.shadow import prepared, widening
from verifier.lift.trajectory import Untranslatable, from_sympy
from verifier.rule import Rule, t, transition

STEPS = 5
SEED = 5


def replayed(
    recipe: Recipe, rule: Rule, conditions: Sequence[sympy.Basic], generic: Callable[[Hyper, int], float]
) -> tuple[str, int]:
    """A sentence where the rule certainly leaves the code within a few steps, and how many were compared.

    Held against theta and against the state that the code keeps under the names the rule has for it.
    Run in double precision throughout, as it was lifted, and in float32 as it is: code that asks for dtypes may take
    other lines there. Steps outside the rule's path conditions are not compared, nor anything where those read more
    than the hyperparameters and t.
    """
    if recipe.path or recipe.is_complex or any(not c.free_symbols <= {t, *rule.hyper} for c in conditions):
        return "", 0
    chosen = {h.name: generic(h, SEED) for h in recipe.hypers}
    rates = {schedule.initial(n).args[0]: chosen[n] for n in schedule.RATES if n in chosen}  # nothing changes them here
    compared = 0
    for single in (False, True):
        run = _run_code(recipe, chosen, single)
        start, grads = run.start[0][0], [g[0][0] for g in run.grads]
        try:
            expected = _run_rule(rule, chosen | rates, start, grads, conditions, run.unit)
        except Untranslatable:
            return "", 0
        for step, (now, seen) in enumerate(zip(expected, run.seen, strict=False), 1):
            for name, (value, error) in now.items():
                if name in seen and not abs(value - seen[name]) <= error and error < float("inf"):
                    where = f"{'in float32, ' if single else ''}at step {step} from the start"
                    said = "" if name == rule.theta.name else f" {name} ="
                    return f"{where} the rule gives{said} {value!r}, the code {seen[name]!r}", compared + step
        compared += min(len(expected), len(run.seen))
    return "", compared


def first_step(recipe: Recipe, main: Observation) -> tuple[str, int]:
    """A sentence where the first step lifted is not the code's in float32, and how many elements were compared."""
    if recipe.path or recipe.is_complex:
        return "", 0
    chosen = main.settings["values"]
    run = _run_code(recipe, chosen, True, steps=1, seed=main.settings["seed"])
    if not run.theta:
        return "", 0
    point: dict[Node, float | Bounded] = {expr.sym(n): (v, abs(v) * run.unit) for n, v in chosen.items()}
    point |= {s: (first, 0.0) for s, first in main.first_point.items() if s.args[1] is None and s not in point}
    for name, tensors in (("theta", run.start), ("g", run.grads[0])):
        point |= {expr.sym(name, (i, k)): v for i, tensor in enumerate(tensors) for k, v in enumerate(tensor)}
    if not all(holds(c.assumed, point) for c in main.first_conditions):
        return "", 0
    compared = 0
    for i, nodes in enumerate(main.theta_first):
        for (value, error), seen in zip(values(nodes, point, run.unit), run.theta[0][i], strict=True):
            compared += 1
            if not abs(value - seen) <= error and error < float("inf"):
                return f"in float32, the first step lifted gives {value!r}, the code {seen!r}", compared
    return "", compared


Elements = list[list[float]]
"""Numbers of every element of every tensor."""


@dataclass
class _RealRun:
    """A real run without tags: where it starts, its gradients, theta after each step, the coarsest unit roundoff."""

    start: Elements
    grads: list[Elements] = field(default_factory=list)
    theta: list[Elements] = field(default_factory=list)
    seen: list[dict[str, float]] = field(default_factory=list)  # of the first element, after each step: theta and state
    unit: float = 2.0**-53


_UNITS = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}


class _Coarsest(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its modes untyped
    """Notes the coarsest format any operation's result is in; integers of 8 bits say nothing about reals."""

    def __init__(self, run: _RealRun) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.run = run

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tensors_of([out, *args]):  # _foreach_*_ returns nothing: what it writes is its argument
            coarse = tensor.dtype in (torch.int8, torch.uint8) or "float8" in str(tensor.dtype)
            self.run.unit = max(self.run.unit, 1.0 if coarse else _UNITS.get(tensor.dtype, 0.0))
        return out


def _elements(tensors: Iterable[torch.Tensor]) -> Elements:
    return [[float(x) for x in tensor.detach().reshape(-1).tolist()] for tensor in tensors]


def _state_of(optimizer: Any, parameter: torch.Tensor) -> dict[str, float]:
    """The first element of every state tensor shaped like its parameter, by the name the code has for it."""
    state = getattr(optimizer, "state", {}).get(parameter, {})
    tensors = {n: v for n, v in state.items() if isinstance(v, torch.Tensor) and v.is_floating_point()}
    return {
        str(n): float(v.detach().reshape(-1)[0])
        for n, v in tensors.items()
        if v.shape == parameter.shape and not v.is_sparse
    }


def _run_code(
    recipe: Recipe, chosen: Mapping[str, float], single: bool, steps: int = STEPS, seed: int = SEED
) -> _RealRun:
    """A few real steps: widened to double, or in float32 as the code is; what is known of ranges stays known."""
    known = dict(ranges)
    try:
        return _steps(recipe, chosen, single, steps, seed)
    finally:
        ranges.clear()
        ranges.update(known)


def _steps(recipe: Recipe, chosen: Mapping[str, float], single: bool, steps: int, seed: int) -> _RealRun:
    generator = torch.Generator().manual_seed(seed)
    with prepared(Trace(), recipe.modules):
        dtype = torch.float32 if single else torch.float64
        torch.set_default_dtype(dtype)
        parameters = construct.make_parameters(recipe.shapes, seed, recipe.tracked)
        for p in parameters:
            p.data = p.data.to(dtype)
        run = _RealRun(_elements(parameters))
        try:
            optimizer: Any = construct.build(replace(recipe, tensor=frozenset()), parameters, chosen)
            if callable(getattr(optimizer, "train", None)):
                optimizer.train()
            for _ in range(steps):
                for p in parameters:
                    p.grad = (torch.randn(p.shape, generator=generator, dtype=torch.float64) + 0.1).to(dtype)
                grads = _elements(p.grad for p in parameters if p.grad is not None)
                with _Coarsest(run) if single else widening():
                    optimizer.step()
                run.grads.append(grads)
                run.theta.append(_elements(parameters))
                run.seen.append(_state_of(optimizer, parameters[0]) | {"theta": run.theta[-1][0][0]})
        except Exception:  # a step that needs a closure, or whatever foreign code raises: nothing to compare
            return run
    return run


def _run_rule(
    rule: Rule,
    chosen: Mapping[str, float],
    start: float,
    grads: Sequence[float],
    conditions: Sequence[sympy.Basic],
    unit: float,
) -> list[dict[str, Bounded]]:
    """theta and state after each step by the rule, with error bounds, as long as the path conditions hold."""
    after = transition(rule)
    nodes, guards = from_sympy(after.values()), from_sympy(conditions)
    slack = unit if unit > _UNITS[torch.float64] else 0.0  # numbers given in double are rounded when they meet tensors
    point: dict[Node, float | Bounded] = {expr.sym(n): (v, abs(v) * slack) for n, v in chosen.items() if n != PENALTY}
    now: dict[str, Bounded] = {rule.theta.name: (start, 0.0)}
    here = {**point, expr.sym(rule.theta.name): start}
    now.update(zip((s.name for s in rule.state), values(from_sympy(rule.state.values()), here, unit), strict=True))
    trace = []
    for step, grad in enumerate(grads, 1):
        here = {**point, **{expr.sym(n): v for n, v in now.items()}}
        here |= {expr.sym(rule.grad.name): grad, expr.sym(t.name): float(step)}
        if not all(holds(g, here) for g in guards):
            break
        now = dict(zip((s.name for s in after), values(nodes, here, unit), strict=True))
        trace.append(now)
    return trace
