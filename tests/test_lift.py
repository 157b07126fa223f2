"""Lifting torch.optim: the rule each optimizer's code performs is the catalogue's, and nothing is left behind."""

from __future__ import annotations

import math
import random
import sys
import warnings
from math import sqrt

import pytest
import sympy
import torch
from sympy import Symbol

from verifier import rules
from verifier.equality.normal import Status
from verifier.lift import lift, match, prove, scalars
from verifier.lift.faithful import watch
from verifier.lift.induction import LiftProof
from verifier.lift.lifted import Lift
from verifier.lift.ranges import ranges
from verifier.rule import Rule, maximized, transition
from verifier.subjects.torch_options import optimizer_class

IMPLEMENTATIONS = ("forloop", "foreach")


def lifted(name: str, implementation: str, **more: object) -> Lift:
    """The lift of the class that claims a catalogue rule, with all of the rule's hyperparameters symbolic."""
    target, options = optimizer_class(name)
    hyper = {s.name for s in rules.get(name).hyper}
    symbolic = hyper & {"momentum", "dampening", "lr_decay", "initial_accumulator_value"}
    return lift(target, implementation, symbolic=symbolic, **options, **more)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("name", rules.names())
def test_torch_follows_its_rule(name: str, implementation: str) -> None:
    """The code of every elementwise torch.optim optimizer is proved equal to its catalogue rule."""
    found = lifted(name, implementation)

    proof = prove(found, name)

    assert ("lifted", None) == (found.status, found.stopped_by)
    assert Status.PROVED == proof.status, proof.method


@pytest.mark.parametrize("name", rules.names())
def test_maximize_climbs(name: str) -> None:
    """With maximize=True the code follows the rule that reads -grad."""
    found = lifted(name, "foreach", maximize=True)

    assert Status.PROVED == prove(found, maximized(rules.get(name))).status


@pytest.mark.parametrize("name", ["adam", "sgd", "adamw", "rmsprop", "nadam", "rprop"])
def test_differentiable_form(name: str) -> None:
    """differentiable=True runs other code lines and follows the same rule."""
    assert Status.PROVED == prove(lifted(name, "forloop", differentiable=True), name).status


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_tensor_lr(name: str) -> None:
    """A learning rate held in a 0-dim tensor stays symbolic."""
    assert Status.PROVED == prove(lifted(name, "forloop", tensor=["lr"]), name).status


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sgd", "coupled"), ("adam", "coupled"), ("rmsprop_centered", "coupled"), ("asgd", "coupled"),
     ("adamw", "decoupled"), ("nadam_decoupled", "decoupled"), ("radam_decoupled", "decoupled"), ("rprop", "none")],
)  # fmt: skip
def test_weight_decay_semantics(name: str, kind: str) -> None:
    """What weight decay does is computed from the expression."""
    assert kind == lifted(name, "forloop").weight_decay


def test_momentum_first_step_is_apart() -> None:
    """SGD's first gradient is not dampened: the rule says so with a Piecewise on t = 1."""
    rule = lifted("sgd_momentum", "forloop").rule

    assert rule is not None
    buffer = dict(rule.step)[Symbol("momentum_buffer", real=True)]
    assert isinstance(buffer, sympy.Piecewise)
    assert sympy.Eq(rule.symbol("t"), 1) == buffer.args[0][1]


def test_branches_of_both_sides_are_covered() -> None:
    """RAdam's rectification is a Piecewise of both branches, with no path condition left."""
    found = lifted("radam", "forloop")

    assert () == found.path_conditions
    assert found.rule is not None
    assert transition(found.rule)[found.rule.theta].has(sympy.Piecewise)


def test_wrong_rule_is_refuted() -> None:
    """AdamW against the rule adam is refuted with the term, and with a run on which both really part."""
    proof = prove(lifted("adamw", "forloop"), "adam")

    assert Status.REFUTED == proof.status
    assert "weight_decay" in proof.difference
    assert proof.witness is not None
    assert "1" == proof.witness["step"]
    assert parts_at(proof)


def parts_at(proof: LiftProof) -> bool:
    """Whether torch's AdamW and Adam really end the first step apart, on the inputs of the witness."""
    w = {k: float(sympy.Rational(v)) for k, v in (proof.witness or {}).items() if k[:5] != "theta" or k == "theta"}
    ends = []
    for cls in (torch.optim.AdamW, torch.optim.Adam):
        p = torch.nn.Parameter(torch.tensor([w["theta"]], dtype=torch.float64))
        p.grad = torch.tensor([w["g_1"]], dtype=torch.float64)
        cls([p], lr=w["lr"], betas=(w["beta1"], w["beta2"]), eps=w["eps"], weight_decay=w["weight_decay"]).step()
        ends.append(p.item())
    return ends[0] != ends[1]


class CoupledAdamW(torch.optim.Optimizer):
    """Adam with eps inside the root: a mistake that only algebra sees at usual values."""

    def __init__(self, params, lr: float = 1e-3, beta: float = 0.99, eps: float = 1e-8) -> None:
        super().__init__(params, {"lr": lr, "beta": beta, "eps": eps})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["square_avg"] = torch.zeros_like(p)
                v = state["square_avg"].mul_(group["beta"]).addcmul_(p.grad, p.grad, value=1 - group["beta"])
                p.addcdiv_(p.grad, (v + group["eps"]).sqrt(), value=-group["lr"])


def test_eps_inside_the_root_is_refuted() -> None:
    """An RMSprop with eps under the root is lifted, and refuted against rmsprop."""
    found = lift(CoupledAdamW)

    assert found.rule is not None
    renamed = Rule(
        "own", "test", found.rule.theta, found.rule.grad, found.rule.hyper, found.rule.state, found.rule.step
    )
    assert Status.PROVED == prove(found, renamed).status
    assert Status.REFUTED == prove(found, "rmsprop").status
    assert match(found) is None


class Random(torch.optim.SGD):
    """A step that draws random numbers."""

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for p in self.param_groups[0]["params"]:
            p.add_(torch.randn_like(p) + p.grad, alpha=-0.1)


def test_what_cannot_be_lifted_is_named() -> None:
    """Random numbers stop a lift; the op and the line it was called from are said."""
    found = lift(Random)

    assert "opaque" == found.status or "partial" == found.status
    assert found.rule is None
    assert found.stopped_by is not None
    assert "randn_like" in found.stopped_by
    assert "test_lift.py" in found.stopped_by


def test_fused_is_opaque() -> None:
    """Fused kernels are one op no table explains."""
    found = lift("torch.optim:AdamW", fused=True)

    assert "lifted" != found.status
    assert "_fused_adamw" in str(found.stopped_by)


class Raising(torch.optim.SGD):
    """A step that raises in the middle."""

    def step(self, closure: object = None) -> None:
        torch.zeros(1).add_(1)
        raise RuntimeError("no")


def test_nothing_is_left_patched() -> None:
    """Default dtype, random state, math's functions and torch's modes are as they were, also after an exception."""
    before = (torch.get_default_dtype(), torch.random.get_rng_state().clone(), math.sqrt, math.exp)
    enabled = torch.is_grad_enabled()

    found = lift(Raising)
    lift("torch.optim:NAdam")

    assert "opaque" == found.status
    assert "no" in str(found.stopped_by)
    assert before[0] == torch.get_default_dtype()
    assert torch.equal(before[1], torch.random.get_rng_state())
    assert (math.sqrt, math.exp) == before[2:]
    assert enabled == torch.is_grad_enabled()
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
    assert [] == torch.overrides._get_current_function_mode_stack()


class RaisingLate(torch.optim.Adam):
    """Steps that go wrong at the first, in the middle, or at the generic one."""

    at = 1

    def step(self, closure: object = None) -> None:
        self.steps = getattr(self, "steps", 0) + 1
        super().step()
        sqrt(4.0)
        if self.steps >= self.at:
            raise KeyError("late")


def surroundings() -> tuple[object, ...]:
    """What a lift changes while it runs."""
    gate = "_get_capturable_supported_devices"
    return (
        torch.get_default_dtype(), tuple(torch.random.get_rng_state().tolist()), math.sqrt, math.exp, math.pow, sqrt,
        vars(sys.modules["torch.optim.adam"])[gate], vars(sys.modules["torch.optim.optimizer"])[gate],
        torch.is_grad_enabled(), torch.utils._python_dispatch._get_current_dispatch_mode(),
        tuple(torch.overrides._get_current_function_mode_stack()), sys.stdout, dict(ranges), tuple(scalars._active),
        random.getstate(), tuple(warnings.filters),
    )  # fmt: skip


@pytest.mark.parametrize("at", [1, 3, 6])
@pytest.mark.parametrize("capturable", [False, True])
def test_an_exception_in_any_step_leaves_nothing_behind(
    at: int, capturable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever observed step raises, and through the lines of an accelerator too, all is as it was."""
    monkeypatch.setattr(RaisingLate, "at", at)
    before = surroundings()

    found = lift(RaisingLate, capturable=capturable)

    assert ("opaque", True) == (found.status, "late" in str(found.stopped_by))
    assert before == surroundings()
    with pytest.raises(KeyError, match="late"):
        watch(RaisingLate, steps=at, capturable=capturable)
    assert before == surroundings()


def test_literal_zero_matches_the_general_rule() -> None:
    """Lifted with weight_decay=0, RMSprop still follows the rule rmsprop at weight_decay 0."""
    proof = match(lift("torch.optim:RMSprop", weight_decay=0))

    assert proof is not None
    assert "rmsprop" == proof.rule


def test_json_has_the_interface_fields() -> None:
    """The entry of the results file carries status, formula and what stopped the lift."""
    entry = lift("torch.optim:SGD").to_json()

    assert {"target", "weight_decay", "lift"} == set(entry)
    assert {"status", "formula", "stopped_by"} <= set(entry["lift"])
    assert "lifted" == entry["lift"]["status"]


def test_line_of_state_that_a_mistake_forgets_is_left_out() -> None:
    """State that nothing depends on is left out of a rule with every line that reads it, and the rest is compared."""
    theta, g, lr, before, turn = (Symbol(name, real=True) for name in ("theta", "g", "lr", "before", "turn"))
    step = ((turn, before * g), (theta, theta - lr * g), (before, g))
    forgets = Rule("forgets", "test", theta, g, {lr: sympy.Interval(0, sympy.oo)}, {before: sympy.Integer(0)}, step)

    assert Status.PROVED == prove(lifted("sgd", "forloop", weight_decay=0.0), forgets).status
