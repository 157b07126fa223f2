"""A learning rate that schedulers change: a lift reads the rate of each step, and shows code that kept an old one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy
import torch
from sympy import Symbol

from verifier import rules
from verifier.equality.normal import Status
from verifier.lift import expr, lift, prove
from verifier.lift.evaluate import Bounded, values
from verifier.lift.explain import explain
from verifier.lift.rule_file import write_rule
from verifier.lift.scalars import Trace
from verifier.lift.shadow import prepared
from verifier.lift.trajectory import from_sympy
from verifier.rule import Rule, transition
from verifier.subjects.torch_options import optimizer_class

STEPS = 6
Scheduler = torch.optim.lr_scheduler.LRScheduler
SCHEDULERS: dict[str, Callable[[torch.optim.Optimizer], Scheduler]] = {
    "step": lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.5),
    "warmup": lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.25, 1.0, 4),
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 5),
    "exponential": lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.7),
    "restarts": lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 2),
    "lambda": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda k: 1 / (1 + k)),
}


class Kept(torch.optim.Optimizer):
    """SGD that steps with the learning rate it was built with."""

    def __init__(self, params, lr: float = 0.1, weight_decay: float = 0.0) -> None:
        self.rate = lr
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def rate_of(self, group: dict[str, Any], p: torch.Tensor) -> Any:
        return self.rate

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_((p.grad + group["weight_decay"] * p) * self.rate_of(group, p))


class Defaults(Kept):
    """The rate read from the constructor's defaults, where no scheduler writes."""

    def rate_of(self, group: dict[str, Any], p: torch.Tensor) -> Any:
        return self.defaults["lr"]


class FirstStep(Kept):
    """The rate kept as a number of state at the first step."""

    def rate_of(self, group: dict[str, Any], p: torch.Tensor) -> Any:
        return self.state[p].setdefault("rate", group["lr"])


class FirstStepTensor(Kept):
    """The rate kept as a tensor of state at the first step."""

    def rate_of(self, group: dict[str, Any], p: torch.Tensor) -> Any:
        if not self.state[p]:
            self.state[p]["rate"] = torch.tensor(group["lr"])
        return self.state[p]["rate"]


class Current(Kept):
    """The rate of the group, by way of an attribute set anew at each step."""

    def rate_of(self, group: dict[str, Any], p: torch.Tensor) -> Any:
        self.rate = group["lr"]
        return self.rate


@pytest.mark.parametrize("kind", [Kept, Defaults, FirstStep, FirstStepTensor])
def test_a_kept_rate_is_refuted(kind: type[Kept]) -> None:
    """Code that does not see a scheduler's new rate is refuted against sgd, by a run whose rate was changed."""
    found = lift(kind)

    proof = prove(found, "sgd")

    assert (("lr",), "coupled") == (found.captured, found.weight_decay)
    assert Status.REFUTED == proof.status
    assert "(lr - lr_initial) * (g + weight_decay * theta)" == proof.difference
    assert proof.witness is not None
    assert proof.witness["lr"] != proof.witness["lr_initial"]
    assert Status.PROVED == prove(found, write_rule(found)).status
    assert "no scheduler changes that" in explain(kind).text.replace("\n  ", " ")


def test_the_rate_of_the_group_is_followed() -> None:
    """An attribute that only repeats the group's rate is no captured rate."""
    found = lift(Current)

    assert () == found.captured
    assert Status.PROVED == prove(found, "sgd").status


def test_at_rest_a_kept_rate_is_the_rate() -> None:
    """While no scheduler runs, the rule with the captured rate is the plain rule."""
    rule = lift(Kept).at_rest

    assert rule is not None
    assert transition(rules.get("sgd"))[rules.get("sgd").theta] == transition(rule)[rule.theta]


def followed(rule: Rule, chosen: dict[str, float], rates: list[float], grads: list[float]) -> list[Bounded]:
    """theta after each step by the rule, each step with the rate it had."""
    after = transition(rule)
    nodes = from_sympy(after.values())
    now: dict[str, Bounded] = {"theta": (0.7, 0.0)}
    start = {expr.sym(n): v for n, v in (chosen | {"theta": 0.7, "lr": rates[0]}).items()}
    now.update(zip((s.name for s in rule.state), values(from_sympy(rule.state.values()), start), strict=True))
    found = []
    for k, (rate, grad) in enumerate(zip(rates, grads, strict=True), 1):
        here: dict[expr.Node, float | Bounded] = {expr.sym(n): v for n, v in (chosen | {"lr": rate}).items()}
        here |= {expr.sym(n): v for n, v in now.items()}
        here |= {expr.sym("g"): grad, expr.sym("t"): float(k)}
        now = dict(zip((s.name for s in after), values(nodes, here), strict=True))
        found.append(now["theta"])
    return found


def stepped(
    target: str, options: dict[str, Any], scheduler: str, grads: list[float]
) -> tuple[list[float], list[float], dict[str, float]]:
    """theta after each step of torch's own run under a scheduler, the rate each step had, the other options."""
    with prepared(Trace()):  # torch keeps step numbers and their products in the default dtype: double here
        p = torch.nn.Parameter(torch.tensor([0.7], dtype=torch.float64))
        optimizer = getattr(torch.optim, target.rpartition(":")[2])([p], lr=0.05, **options)
        schedule = SCHEDULERS[scheduler](optimizer)
        rates, observed = [], []
        for grad in grads:
            p.grad = torch.tensor([grad], dtype=torch.float64)
            rates.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            schedule.step()
            observed.append(p.item())
    group = optimizer.param_groups[0]
    chosen = {k: float(v) for k, v in group.items() if isinstance(v, float) and k not in ("lr", "initial_lr")}
    for name, parts in {"betas": ("beta1", "beta2"), "etas": ("etaminus", "etaplus"),
                        "step_sizes": ("step_size_min", "step_size_max")}.items():  # fmt: skip
        chosen.update(zip(parts, map(float, group.get(name, ())), strict=False))
    return observed, rates, chosen


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw_amsgrad", "nadam", "radam", "rmsprop", "rprop", "asgd"])
def test_torch_under_a_scheduler_follows_the_lifted_rule(name: str, scheduler: str) -> None:
    """With torch's schedulers stepping between, each observed step is the lifted rule at that step's own rate."""
    target, options = optimizer_class(name)
    rule = lift(target, "forloop", **options).rule
    grads = [0.3, -1.1, 0.4, 0.25, -0.6, 0.9]
    assert rule is not None
    if "weight_decay" in {s.name for s in rule.hyper}:
        options = {**options, "weight_decay": 0.1}

    observed, rates, chosen = stepped(target, options, scheduler, grads)

    assert len(set(rates)) > 1
    constant = followed(rule, chosen, [rates[0]] * STEPS, grads)
    for (value, error), seen in zip(followed(rule, chosen, rates, grads), observed, strict=True):
        assert abs(value - seen) <= error
    apart = [abs(value - seen) > error for (value, error), seen in zip(constant, observed, strict=True)]
    assert any(apart) != (name == "rprop")  # Rprop reads lr at its first step alone


def test_rprop_reads_its_rate_once() -> None:
    """In Rprop lr is where step sizes start, so that a scheduler has nothing to change: the rule says so too."""
    rule = lift("torch.optim:Rprop").rule

    assert rule is not None
    assert Symbol("lr", real=True) not in {s for e in transition(rule).values() for s in e.free_symbols}
    assert Symbol("lr", real=True) in {s for e in rule.state.values() for s in sympy.sympify(e).free_symbols}
