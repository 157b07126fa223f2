"""The finished rule against the real code, from the first step on: what was lost in writing it down shows here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sympy
import torch

from verifier.lift import construct, expr, schedule
from verifier.lift.construct import PENALTY, Hyper, Recipe
from verifier.lift.evaluate import Bounded, holds, values
from verifier.lift.expr import Node
from verifier.lift.scalars import Trace
from verifier.lift.shadow import Widening, prepared
from verifier.lift.trajectory import Untranslatable, from_sympy
from verifier.rule import Rule, t, transition

STEPS = 5
SEED = 5


def replayed(
    recipe: Recipe, rule: Rule, conditions: Sequence[sympy.Basic], generic: Callable[[Hyper, int], float]
) -> tuple[str, int]:
    """A sentence where the rule's theta certainly leaves the code's within a few steps, and how many were compared.

    Steps outside the rule's path conditions are not compared, nor anything where those read more than the
    hyperparameters and t.
    """
    if recipe.path or any(not c.free_symbols <= {t, *rule.hyper} for c in conditions):
        return "", 0
    chosen = {h.name: generic(h, SEED) for h in recipe.hypers}
    rates = {schedule.initial(n).args[0]: chosen[n] for n in schedule.RATES if n in chosen}  # nothing changes them here
    start, grads, observed = _run_code(recipe, chosen)
    try:
        expected = _run_rule(rule, chosen | rates, start, grads, conditions)
    except Untranslatable:
        return "", 0
    for step, ((value, error), seen) in enumerate(zip(expected, observed, strict=False), 1):
        if not abs(value - seen) <= error and error < float("inf"):
            return f"at step {step} from the start the rule gives {value!r}, the code {seen!r}", step
    return "", min(len(expected), len(observed))


def _run_code(recipe: Recipe, chosen: Mapping[str, float]) -> tuple[float, list[float], list[float]]:
    """Element 0 of a real run without tags: where it starts, its gradients, theta after each step."""
    generator = torch.Generator().manual_seed(SEED)
    grads: list[float] = []
    observed: list[float] = []
    with prepared(Trace(), recipe.modules):
        parameters = construct.make_parameters(recipe.shapes, SEED, recipe.tracked)
        start = float(parameters[0].detach().reshape(-1)[0])
        try:
            optimizer: Any = construct.build(replace(recipe, tensor=frozenset()), parameters, chosen)
            if callable(getattr(optimizer, "train", None)):
                optimizer.train()
            for _ in range(STEPS):
                for p in parameters:
                    p.grad = torch.randn(p.shape, generator=generator, dtype=torch.float64) + 0.1
                gradient = parameters[0].grad
                assert gradient is not None
                grads.append(float(gradient.reshape(-1)[0]))
                with Widening():  # type: ignore[no-untyped-call]
                    optimizer.step()
                observed.append(float(parameters[0].detach().reshape(-1)[0]))
        except Exception:  # a step that needs a closure, or whatever foreign code raises: nothing to compare
            return start, grads, observed
    return start, grads, observed


def _run_rule(
    rule: Rule, chosen: Mapping[str, float], start: float, grads: Sequence[float], conditions: Sequence[sympy.Basic]
) -> list[Bounded]:
    """theta after each step by the rule, with error bounds, as long as the path conditions hold."""
    after = transition(rule)
    nodes, guards = from_sympy(after.values()), from_sympy(conditions)
    point: dict[Node, float | Bounded] = {expr.sym(n): v for n, v in chosen.items() if n != PENALTY}
    now: dict[str, Bounded] = {rule.theta.name: (start, 0.0)}
    here = {**point, expr.sym(rule.theta.name): start}
    now.update(zip((s.name for s in rule.state), values(from_sympy(rule.state.values()), here), strict=True))
    trace = []
    for step, grad in enumerate(grads, 1):
        here = {**point, **{expr.sym(n): v for n, v in now.items()}}
        here |= {expr.sym(rule.grad.name): grad, expr.sym(t.name): float(step)}
        if not all(holds(g, here) for g in guards):
            break
        now = dict(zip((s.name for s in after), values(nodes, here), strict=True))
        trace.append(now[rule.theta.name])
    return trace
