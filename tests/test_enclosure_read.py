"""Enclosures of rules as they are read out of code: rounded constants, folded factors, state wider than parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy
import torch
from torch.optim import Optimizer

from verifier import enclosure
from verifier.floats import BF16, FP32, FP64, Format
from verifier.lift import lifted
from verifier.rule import Rule, t

THETA, G, LR = sympy.symbols("theta g lr", real=True)
POSITIVE = sympy.Interval(0, sympy.oo)
SHRINKING = Rule(
    "shrinking", "a rate that falls with the steps", THETA, G, {LR: POSITIVE}, {},
    ((THETA, THETA - LR * G / (1 + t * sympy.Rational(1, 10))),),
)  # fmt: skip
SCALED = Rule("scaled", "a literal factor", THETA, G, {LR: POSITIVE}, {}, ((THETA, THETA - LR * (G * 3 / 10)),))


def outside(rule: Rule, fmt: Format, count: int, after: Any, theta: Any, grad: Any) -> int:
    """How many of the observed values no profile of the rule allows."""
    found = []
    for profile in enclosure.profiles(fmt, held=False):
        allowed = enclosure.step(
            rule, fmt, theta=theta, grad=grad, state={}, hyper={"lr": 0.03}, t=count, profile=profile
        )
        found.append(int((~allowed["theta"].contains(after)).sum()))
    return min(found)


@pytest.mark.parametrize(("factor", "wrong"), [(0.1, False), (0.1 * (1 + 2.0**-40), True)])
def test_a_constant_of_the_code_was_rounded(factor: float, wrong: bool) -> None:
    """lr / (1 + 0.1 * t) multiplies by the double next to a tenth, which is no division by ten."""
    rng = np.random.default_rng(0)
    theta, grad = rng.standard_normal(400), rng.standard_normal(400) * 100
    count = 0
    for k in range(1, 200):
        after = theta - (0.03 / (1 + factor * k)) * grad
        count += outside(SHRINKING, FP64, k, after, theta, grad)

    assert wrong is (count > 0)


@pytest.mark.parametrize(("factor", "wrong"), [(0.3, False), (0.3 * (1 + 2.0**-20), True)])
def test_a_literal_factor_of_tensors_was_rounded(factor: float, wrong: bool) -> None:
    """A tensor times 0.3 is one times the float next to it, in float32 too."""
    rng = np.random.default_rng(1)
    theta, grad = (torch.tensor(rng.standard_normal(4000), dtype=torch.float32) for _ in range(2))
    after = theta - 0.03 * (grad * 100 * factor)
    scaled = grad * 100

    assert wrong is (outside(SCALED, FP32, 1, *(x.double().numpy() for x in (after, theta, scaled))) > 0)


class Relative(Optimizer):
    """Decay relative to the first rate, as several packages have it; the sum is scaled by a literal."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["m"] = torch.zeros_like(p)
                state["m"].add_(p.grad)
                p.mul_(1 - group["lr"] * (group["weight_decay"] / group["lr"]))
                p.add_((p.grad + state["m"]) * 3, alpha=-group["lr"])


def test_what_would_be_folded_has_a_line_of_its_own() -> None:
    """lr * (wd / lr) stays a quotient and a product, and 3 * (a + b) a sum and a product: each is rounded."""
    rule = lifted.lift(Relative).rule
    assert rule is not None
    values = {str(value) for _, value in rule.step}

    assert "weight_decay/lr" in values
    assert any(value.is_Add and len(value.args) == 2 and rule.grad in value.args for _, value in rule.step)


def test_state_may_be_wider_than_its_parameter() -> None:
    """A float32 average of bfloat16 gradients is in the enclosure as float32 holds it; one that is off is not."""
    m, b = sympy.symbols("m b", real=True)
    average = Rule("average", "a moving average", THETA, G, {b: sympy.Interval(0, 1)}, {m: sympy.Integer(0)},
                   ((m, b * m + (1 - b) * G), (THETA, THETA - m)))  # fmt: skip
    rng = np.random.default_rng(2)
    grad, theta = BF16.round(rng.standard_normal(300)), BF16.round(rng.standard_normal(300))
    state = FP32.round(rng.standard_normal(300))
    after = (0.9 * torch.tensor(state).float() + 0.1 * torch.tensor(grad).float()).double().numpy()
    found = enclosure.step(average, BF16, theta=theta, grad=grad, state={"m": state}, hyper={"b": 0.9}, t=1)["m"]

    assert not found.contains(after).all()
    assert enclosure.held_in(found, FP32).contains(after).all()
    assert not enclosure.held_in(found, FP32).contains(after * 1.02).all()
