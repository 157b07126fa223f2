"""The state a rule starts from, for the elements of a case."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

from verifier.case import Case
from verifier.floats import Array
from verifier.rule import Rule


def first_steps(case: Case) -> tuple[int, ...]:
    """The first step at which each tensor has a gradient; one past the last step where it never has."""
    present = range(1, case.steps + 1)
    return tuple(
        next((step for step in present if (step, k) not in case.absent), case.steps + 1)
        for k in range(len(case.shapes))
    )


def initial_state(rule: Rule, case: Case, theta: Array, *, at_construction: bool = False) -> dict[str, Array]:
    """The rule's state before the first step, one array (elements,) a state name, not rounded.

    Where it reads hyperparameters, they are those in force at the first step that has a gradient for the tensor, as
    for optimizers that create state lazily; with `at_construction`, those in force before any step.
    """
    starts = first_steps(case)
    state = {}
    for name, read, value in _starting_values(rule):
        if isinstance(value, float):
            state[name] = np.full(len(case.theta), value)
            continue
        state[name] = np.zeros(len(case.theta))
        for group in case.all_groups:
            for k in group.tensors:
                where = case.slices[k]
                hyper = case.hyper_at(0 if at_construction else starts[k], group)
                known = {**hyper, rule.theta.name: theta[where]}
                state[name][where] = value(*(known[symbol] for symbol in read))
    return state


@functools.lru_cache(maxsize=512)
def _starting_values(rule: Rule) -> tuple[tuple[str, tuple[str, ...], float | Callable[..., Any]], ...]:
    """Of each state variable its name, what its initial value reads, and that value: a number or a function."""
    found: list[tuple[str, tuple[str, ...], float | Callable[..., Any]]] = []
    for symbol, value in rule.state.items():
        expression = sympy.sympify(value)
        read = sorted(expression.free_symbols, key=str)
        compiled = sympy.lambdify(read, expression, "numpy") if read else float(expression)
        found.append((symbol.name, tuple(name.name for name in read), compiled))
    return tuple(found)
