"""The rule in numpy, against exact arithmetic and against torch."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from sympy import Rational

from verifier import rules
from verifier.case import Case, Group
from verifier.floats import BF16, FORMATS, FP32, FP64, Array, Format, same_bits
from verifier.rule import Rule, maximized, t
from verifier.subjects.reference import NotInterpreted, reference
from verifier.subjects.torch import subjects

DIGITS = 40
HYPER = {
    "lr": 0.01,
    "weight_decay": 0.1,
    "beta1": 0.9,
    "beta2": 0.7,
    "eps": 1e-3,
    "momentum": 0.9,
    "dampening": 0.25,
    "momentum_decay": 4e-3,
    "lr_decay": 0.01,
    "initial_accumulator_value": 0.1,
    "rho": 0.9,
    "alpha": 0.9,
    "etaminus": 0.5,
    "etaplus": 1.2,
    "step_size_min": 1e-6,
    "step_size_max": 50.0,
    "lambd": 1e-2,
    "t0": 2.0,
}
ROUNDED_SCALARS = {"nadam", "nadam_decoupled", "asgd"}  # tests/findings/float64_single_precision_scalars.py


def case_for(rule: Rule, elements: int = 4, steps: int = 7, **changes: object) -> Case:
    """A case off the defaults, the same for everybody."""
    draw = np.random.default_rng(20260101)
    theta, grads = draw.normal(size=elements), draw.normal(size=(steps, elements))
    return Case(((elements,),), theta, grads, {s.name: HYPER[s.name] for s in rule.hyper}).with_(**changes)


def exact_theta(rule: Rule, case: Case) -> Array:
    """theta after every step, computed line by line with 40 digits, rounded to fp64. One group, all gradients."""
    rows = [case.theta]
    hyper = {symbol: Rational(case.hyper[symbol.name]) for symbol in rule.hyper}
    theta = [Rational(x) for x in case.theta]
    states = [{s: sympy.sympify(value).subs(hyper) for s, value in rule.state.items()} for _ in theta]
    for step, grads in enumerate(case.grads, 1):
        for k, grad in enumerate(grads):
            known = {**hyper, **states[k], rule.theta: theta[k], rule.grad: Rational(grad), t: sympy.Integer(step)}
            for target, value in rule.step:
                known[target] = sympy.sympify(value).subs(known).evalf(DIGITS)
            theta[k], states[k] = known[rule.theta], {s: known[s] for s in rule.state}
        rows.append(np.array([float(x) for x in theta]))
    return np.stack(rows)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("name", rules.names())
def test_double_precision_is_right_to_single(name: str, maximize: bool) -> None:
    """Seven fp64 steps of the reference and of torch's for-loop round to the fp32 numbers of exact arithmetic."""
    rule = rules.get(name)
    case = case_for(rule, maximize=maximize)
    exact = exact_theta(maximized(rule) if maximize else rule, case)
    (torchs,) = subjects(name, dtypes=["float64"], implementations=["forloop"])
    assert same_bits(FP32.round(exact), FP32.round(reference(rule, FP64).run(case).theta)).all()
    seen = BF16 if name in ROUNDED_SCALARS else FP32
    assert same_bits(seen.round(exact), seen.round(torchs.run(case).theta)).all()


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
def test_every_value_is_of_the_format(fmt: Format) -> None:
    """Parameters and state of the reference are values of its format after every step."""
    rule = rules.get("adamw")
    observed = reference(rule, fmt).run(case_for(rule))
    for values in (observed.theta, *observed.state.values()):
        assert same_bits(values, fmt.round(values)).all()


def test_single_precision_sgd_is_ieee_arithmetic() -> None:
    """The fp32 reference of SGD is what numpy's own float32 computes with each operation rounded."""
    rule = rules.get("sgd")
    case = case_for(rule, elements=64, steps=3)
    theta, lr, decay = (np.float32(x) for x in (case.theta, case.hyper["lr"], case.hyper["weight_decay"]))
    for grad in case.grads.astype(np.float32):
        theta = theta + -(lr * (grad + decay * theta))
    assert same_bits(theta.astype(np.float64), reference(rule, FP32).run(case)[3]).all()


def test_groups_and_schedules_reach_their_elements() -> None:
    """Each group's tensors move as they would alone under the options in force for them."""
    rule = rules.get("adam")
    both = case_for(
        rule,
        shapes=((2,), (2,)),
        groups=(Group((0,), {"lr": 0.5}), Group((1,), {"weight_decay": 0.0})),
        schedule={3: {"eps": 0.5}},
    )
    together = reference(rule, FP64).run(both)
    for k, group in enumerate(both.groups):
        part = Case(
            ((2,),),
            both.theta[both.slices[k]],
            both.grads[:, both.slices[k]],
            {**both.hyper, **group.hyper},
            schedule=both.schedule,
        )
        assert same_bits(reference(rule, FP64).run(part).theta, together.theta[:, both.slices[k]]).all()


def test_absent_gradients_do_not_count() -> None:
    """A tensor whose gradient is absent at first starts at step 1 when it comes, as if nothing had been before."""
    rule = rules.get("adam")
    late = case_for(rule, shapes=((2,), (2,)), absent=frozenset({(1, 1), (2, 1)}))
    alone = Case(((2,),), late.theta[2:], late.grads[2:, 2:], late.hyper)
    observed = reference(rule, FP64).run(late).theta
    assert same_bits(observed[2:, 2:], reference(rule, FP64).run(alone).theta).all()
    assert same_bits(observed[0, 2:], observed[2, 2:]).all()


def test_unknown_function_is_named() -> None:
    """A rule with a function that has no rounding is refused by name when the subject is made."""
    rule = rules.get("sgd")
    odd = Rule(
        name="odd",
        cite="nobody",
        theta=rule.theta,
        grad=rule.grad,
        hyper=rule.hyper,
        state={},
        step=(*rule.step, (rule.theta, rule.theta - sympy.gamma(rule.grad))),
    )
    with pytest.raises(NotInterpreted, match="gamma"):
        reference(odd, FP32)
