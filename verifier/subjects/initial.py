"""The state a rule starts from, for the elements of a case."""

from __future__ import annotations

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
    state = {}
    starts = first_steps(case)
    for symbol, value in rule.state.items():
        found = np.zeros(len(case.theta))
        expression = sympy.sympify(value)
        if expression.is_number:
            found += float(expression)
        else:
            names = sorted(expression.free_symbols, key=str)
            evaluate = sympy.lambdify(names, expression, "numpy")
            for group in case.all_groups:
                for k in group.tensors:
                    where = case.slices[k]
                    hyper = case.hyper_at(0 if at_construction else starts[k], group)
                    known = {**hyper, rule.theta.name: theta[where]}
                    found[where] = evaluate(*(known[name.name] for name in names))
        state[symbol.name] = found
    return state
