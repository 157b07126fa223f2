"""Rules as they are written down: lines whose first step differs, and branches that ask for a count of steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy
import torch
from torch.optim import Optimizer

from verifier.lift import construct, lifted
from verifier.lift.replay import replayed
from verifier.rule import transition


class Averaged(Optimizer):
    """SGD whose state begins with the parameter that the first step leaves, and averages from then on."""

    def __init__(self, params: Any, lr: float = 0.1, decay_rate: float = 0.9) -> None:
        super().__init__(params, dict(lr=lr, decay_rate=decay_rate))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(p.grad, alpha=-group["lr"])
                state = self.state[p]
                if not state:
                    state["average"] = p.clone()
                state["average"].mul_(group["decay_rate"]).add_(p, alpha=1 - group["decay_rate"])


class EverySecond(Optimizer):
    """The step is scaled by an average of the gradient's size that is renewed every second step."""

    def __init__(self, params: Any, lr: float = 0.1, beta: float = 0.9, interval: int = 2) -> None:
        super().__init__(params, dict(lr=lr, beta=beta, interval=interval))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(step=0, size=torch.ones_like(p))
                if state["step"] % group["interval"] == 0:
                    state["size"].mul_(group["beta"]).add_(p.grad.abs(), alpha=1 - group["beta"])
                state["step"] += 1
                p.addcdiv_(p.grad, state["size"] + 1, value=-group["lr"])


def test_state_begun_after_the_step_reads_the_new_parameter() -> None:
    """The average of the first step is the parameter after it, however the lines are ordered."""
    rule = lifted.lift(Averaged).rule
    assert rule is not None
    lr, g = sympy.Symbol("lr", real=True), rule.grad

    first = transition(rule)[sympy.Symbol("average", real=True)].subs(sympy.Symbol("t", integer=True, positive=True), 1)

    assert 0 == sympy.simplify(first - (rule.theta - lr * g))


def test_state_that_leaves_the_code_is_seen() -> None:
    """A rule right in theta and wrong in a state that theta never reads is refused."""
    recipe = construct.recipe(Averaged)
    rule = lifted.lift(Averaged).rule
    assert rule is not None
    wrong = replace(rule, step=tuple((s, e * 2 if s.name == "average" else e) for s, e in rule.step))

    assert "" == replayed(recipe, rule, (), construct.generic)[0]
    assert "average" in replayed(recipe, wrong, (), construct.generic)[0]


def test_branch_on_a_count_of_steps_is_read() -> None:
    """Whole numbers are computed exactly, so a remainder of the steps before this one is no doubtful branch."""
    rule = lifted.lift(EverySecond).rule
    assert rule is not None

    assert any(value.atoms(sympy.Mod) for _, value in rule.step)
