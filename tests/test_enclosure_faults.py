"""Seeded faults leave the enclosure: in fp32 and in fp64, whatever profile the scalars are given.

A fault is a rule with a line edited, a hyperparameter read wrongly, or an implementation slip. Its author rounds every
operation like plain numpy code, so that nothing but the fault is to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import Integer, Max, Piecewise, Symbol, sqrt

from tests.legitimate import Implementation, draw_values
from verifier import enclosure, rules
from verifier.floats import BF16, FP32, FP64, Array, Format
from verifier.rule import Rule, t

Hyper = dict[str, float]
Edit = Callable[[Rule], Rule]
Misread = Callable[[Hyper, Format], Hyper]
Slip = Callable[[dict[str, Any], Mapping[str, Any], Format], dict[str, Any]]


@dataclass(frozen=True)
class Fault:
    """What is wrong, in which rule; at most one of the three kinds."""

    says: str
    rule: str
    edit: Edit | None = None
    misread: Misread | None = None
    slip: Slip | None = None
    hyper: Mapping[str, float] | None = None


def symbols(rule: Rule, names: str) -> list[Symbol]:
    return [rule.symbol(name) for name in names.split()]


def line(target: str, change: Callable[..., Any], reads: str) -> Edit:
    """An edit of the last line that assigns `target`: `change` is given its expression and the symbols it reads."""

    def edit(rule: Rule) -> Rule:
        index = max(k for k, (x, _) in enumerate(rule.step) if x.name == target)
        x, e = rule.step[index]
        step = list(rule.step)
        step[index] = (x, sympy.sympify(change(e, *symbols(rule, reads))))
        return trimmed(rule, tuple(step))

    return edit


def trimmed(rule: Rule, step: tuple[Any, ...]) -> Rule:
    read = {s for _, e in step for s in sympy.sympify(e).free_symbols}
    read |= {s for e in rule.state.values() for s in sympy.sympify(e).free_symbols}
    return replace(rule, step=step, hyper={s: d for s, d in rule.hyper.items() if s in read})


def moved(target: str, place: int) -> Edit:
    """An edit that moves the line assigning `target` to another place."""

    def edit(rule: Rule) -> Rule:
        step = list(rule.step)
        index = next(k for k, (x, _) in enumerate(step) if x.name == target)
        taken = step.pop(index)
        step.insert(place if place >= 0 else len(step), taken)
        return trimmed(rule, tuple(step))

    return edit


def other(name: str) -> Edit:
    """The author implements another rule of the catalogue."""
    return lambda rule: rules.get(name)


def off(name: str, single: float, double: float) -> Misread:
    """`name` read with a relative error, one for fp32 and one for fp64."""
    return lambda hyper, fmt: {**hyper, name: hyper[name] * (1 + (double if fmt is FP64 else single))}


def given(name: str, value: float) -> Misread:
    return lambda hyper, fmt: {**hyper, name: value}


def swapped(one: str, two: str) -> Misread:
    return lambda hyper, fmt: {**hyper, one: hyper[two], two: hyper[one]}


def tail(after: dict[str, Any], before: Mapping[str, Any], fmt: Format) -> dict[str, Any]:
    theta = after["theta"].copy()
    theta[64:] = before["theta"][64:]
    return {**after, "theta": theta}


def twice(after: dict[str, Any], before: Mapping[str, Any], fmt: Format) -> dict[str, Any]:
    theta = after["theta"].copy()
    theta[0] = fmt.round(np.array([2 * theta[0] - before["theta"][0]]))[0]
    return {**after, "theta": theta}


def narrow(name: str) -> Slip:
    """`name` kept in the next narrower format."""
    return lambda after, before, fmt: {**after, name: (FP32 if fmt is FP64 else BF16).round(after[name])}


def one_ulp(after: dict[str, Any], before: Mapping[str, Any], fmt: Format) -> dict[str, Any]:
    theta = after["theta"]
    return {**after, "theta": theta + 2 * fmt.ulp(theta)}


def single_complement(beta: str, target: str) -> Edit:
    """1 - beta formed from beta rounded to float32, everything else in double."""

    def edit(rule: Rule) -> Rule:
        b, single = rule.symbol(beta), Symbol(f"{beta}_single", real=True)
        step = tuple(
            (x, sympy.sympify(e).xreplace({1 - b: 1 - single}) if x.name == target else e) for x, e in rule.step
        )
        return replace(rule, step=step, hyper={**rule.hyper, single: sympy.Interval(0, 1)})

    return edit


FAULTS = (
    Fault("lr off by 3e-7 (fp64: 1e-15)", "sgd", misread=off("lr", 3e-7, 1e-15)),
    Fault("lr off by 1e-6 (fp64: 4e-15)", "adam", misread=off("lr", 1e-6, 4e-15)),
    Fault("lr off by 1e-6 (fp64: 4e-15)", "adamw", misread=off("lr", 1e-6, 4e-15)),
    Fault("weight_decay off by 1e-6 (fp64: 1e-14)", "sgd", misread=off("weight_decay", 1e-6, 1e-14)),
    Fault("weight_decay twice", "adamw", misread=lambda h, f: {**h, "weight_decay": 2 * h["weight_decay"]}),
    Fault("beta1 off by 1e-6 (fp64: 1e-14)", "adam", misread=off("beta1", 1e-6, 1e-14)),
    Fault("beta2 off by 1e-6 (fp64: 1e-14)", "adam", misread=off("beta2", -1e-6, -1e-14)),
    Fault("betas swapped", "adam", misread=swapped("beta1", "beta2")),
    Fault("eps off by a hundredth", "adam", misread=off("eps", 0.01, 0.01)),
    Fault("eps forgotten", "rmsprop", misread=given("eps", 0.0)),
    Fault("momentum off by 1e-6 (fp64: 1e-14)", "sgd_momentum", misread=off("momentum", 1e-6, 1e-14)),
    Fault("alpha off by 1e-6 (fp64: 1e-14)", "rmsprop", misread=off("alpha", 1e-6, 1e-14)),
    Fault("rho off by 1e-6 (fp64: 1e-14)", "adadelta", misread=off("rho", 1e-6, 1e-14)),
    Fault("1 - beta2 from a float32 beta2", "adam", edit=single_complement("beta2", "exp_avg_sq")),
    Fault("1 - beta1 from a float32 beta1", "adam", edit=single_complement("beta1", "exp_avg"), hyper={"beta1": 0.9}),
    Fault("AdamW's decay", "adam", edit=other("adamw")),
    Fault("Adam's decay", "adamw", edit=other("adam")),
    Fault(
        "decay not scaled by lr",
        "adamw",
        edit=lambda r: trimmed(r, ((r.theta, r.theta * (1 - r.symbol("weight_decay"))), *r.step[1:])),
    ),
    Fault("decay after the step", "adamw", edit=moved("theta", -1)),
    Fault(
        "eps inside the root",
        "adam",
        edit=line("denom", lambda e, v, b, eps: sqrt(v / (1 - b**t) + eps), "exp_avg_sq beta2 eps"),
    ),
    Fault(
        "eps before the bias correction",
        "adam",
        edit=line("denom", lambda e, v, b, eps: (sqrt(v) + eps) / sqrt(1 - b**t), "exp_avg_sq beta2 eps"),
    ),
    Fault(
        "first bias correction missing",
        "adam",
        edit=line("theta", lambda e, x, lr, m, d: x - lr * m / d, "theta lr exp_avg denom"),
    ),
    Fault(
        "second bias correction missing", "adam", edit=line("denom", lambda e, v, eps: sqrt(v) + eps, "exp_avg_sq eps")
    ),
    Fault(
        "bias corrections one step behind",
        "adam",
        edit=lambda r: trimmed(r, tuple((x, sympy.sympify(e).subs(t, t + 1)) for x, e in r.step)),
    ),
    Fault("root forgotten", "adam", edit=line("denom", lambda e, v, eps: v + eps, "exp_avg_sq eps")),
    Fault(
        "|g| for g^2",
        "adam",
        edit=line("exp_avg_sq", lambda e, v, b, d: b * v + (1 - b) * sympy.Abs(d), "exp_avg_sq beta2 d"),
    ),
    Fault("first moment not averaged", "adam", edit=line("exp_avg", lambda e, m, b, d: b * m + d, "exp_avg beta1 d")),
    Fault("step with the old first moment", "adam", edit=moved("exp_avg", -1)),
    Fault(
        "maximum forgotten",
        "adam_amsgrad",
        edit=line("denom", lambda e, v, b, eps: sqrt(v) / sqrt(1 - b**t) + eps, "exp_avg_sq beta2 eps"),
    ),
    Fault(
        "maximum of the first and second step only",
        "adam_amsgrad",
        edit=line(
            "max_exp_avg_sq", lambda e, top, v: Piecewise((Max(top, v), t < 3), (v, True)), "max_exp_avg_sq exp_avg_sq"
        ),
    ),
    Fault(
        "Nesterov's look-ahead forgotten",
        "sgd_nesterov",
        edit=line("theta", lambda e, x, lr, b: x - lr * b, "theta lr momentum_buffer"),
    ),
    Fault(
        "first gradient dampened",
        "sgd_momentum",
        edit=line("momentum_buffer", lambda e, b, m, p, d: m * b + (1 - p) * d, "momentum_buffer momentum dampening d"),
    ),
    Fault("dampening forgotten", "sgd_momentum", misread=given("dampening", 0.0)),
    Fault(
        "lr inside the buffer",
        "sgd_momentum",
        edit=lambda r: trimmed(
            r,
            (
                r.step[0],
                (
                    r.step[1][0],
                    r.symbol("momentum") * r.step[1][0] + r.symbol("lr") * r.symbol("d") * (1 - r.symbol("dampening")),
                ),
                (r.theta, r.theta - r.step[1][0]),
            ),
        ),
    ),
    Fault("centring forgotten", "rmsprop_centered", edit=other("rmsprop")),
    Fault("lr decays from step 1", "adagrad", edit=line("clr", lambda e, lr, k: lr / (1 + t * k), "lr lr_decay")),
    Fault("accumulator replaced, not added to", "adagrad", edit=line("sum", lambda e, d: d**2, "d")),
    Fault(
        "lr inside the accumulated step",
        "adadelta",
        edit=line("acc_delta", lambda e, a, r, x, lr: r * a + (1 - r) * (lr * x) ** 2, "acc_delta rho delta lr"),
    ),
    Fault(
        "mu for mu_next",
        "nadam",
        edit=line("mu_next", lambda e, b, k: b * (1 - (sympy.Rational("0.96") ** (t * k)) / 2), "beta1 momentum_decay"),
    ),
    Fault(
        "rectified from 4 on",
        "radam",
        hyper={"beta2": 0.9},
        edit=lambda r: trimmed(r, tuple((x, sympy.sympify(e).xreplace({Integer(5): Integer(4)})) for x, e in r.step)),
    ),
    Fault(
        "eps outside the maximum",
        "adamax",
        edit=line("exp_inf", lambda e, u, b, d, eps: Max(b * u, sympy.Abs(d)) + eps, "exp_inf beta2 d eps"),
    ),
    Fault("factors swapped", "rprop", misread=swapped("etaminus", "etaplus")),
    Fault("averaging from step 1", "asgd", misread=given("t0", 0.0), hyper={"t0": 3.0}),
    Fault("vector tail skipped", "adam", slip=tail),
    Fault("first element stepped twice", "adam", slip=twice),
    Fault("moments kept in half the precision", "adam", slip=narrow("exp_avg")),
    Fault("two ulp up", "adam", slip=one_ulp),
    Fault("two ulp up", "sgd", slip=one_ulp),
)
STEADY = {
    "lr": 0.0371, "weight_decay": 0.137, "beta1": 0.87, "beta2": 0.973, "eps": 1e-4, "momentum": 0.83,
    "dampening": 0.21, "alpha": 0.91, "rho": 0.93, "momentum_decay": 0.013, "lr_decay": 0.037,
    "initial_accumulator_value": 0.11, "etaminus": 0.47, "etaplus": 1.31, "step_size_min": 1e-5, "step_size_max": 3.0,
    "lambd": 0.023, "t0": 2.0,
}  # fmt: skip
"""Hyperparameters that all differ, and whose float32 roundings differ from them."""


def first_step_outside(fault: Fault, fmt: Format, profile: str, count: int = 67, steps: int = 6) -> int | None:
    """The first step at which the faulty author leaves the enclosure of the right rule; None if it never does."""
    rule = rules.get(fault.rule)
    hyper = {s.name: {**STEADY, **(fault.hyper or {})}[s.name] for s in rule.hyper}
    read = fault.misread(hyper, fmt) if fault.misread else hyper
    read = {**STEADY, **read, **{f"{n}_single": float(np.float32(v)) for n, v in hyper.items()}}
    rng = np.random.default_rng(7)
    author = Implementation(fault.edit(rule) if fault.edit else rule, fmt, rng)
    author.rounding = 1.0
    theta: Array = draw_values(fmt, rng, count, False, -6, 1)
    state = author.initial(theta, read)
    begin = enclosure.initial(rule, fmt, theta=theta, hyper=hyper, profile=profile)
    before: dict[str, Any] = {"theta": theta, **state}
    for number in range(1, steps + 1):
        grad = draw_values(fmt, rng, count, False, -4, 1)
        state = {n: v for n, v in before.items() if n != "theta"}
        after = author.step(before["theta"], grad, state, read, number)
        after = fault.slip(after, before, fmt) if fault.slip else after
        known = {s.name: before.get(s.name, begin[s.name]) for s in rule.state}
        found = enclosure.step(
            rule, fmt, theta=before["theta"], grad=grad, state=known, hyper=hyper, t=number, profile=profile
        )
        for name, allowed in found.items():
            if name in after and not allowed.contains(np.broadcast_to(after[name], theta.shape)).all():
                return number
        before = after
    return None


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=lambda f: f.name)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.rule}: {f.says}".replace(" ", "_"))
def test_seeded_faults_are_caught(fault: Fault, fmt: Format) -> None:
    """No scalar profile explains the faulty author's run."""
    found = {profile: first_step_outside(fault, fmt, profile) for profile in enclosure.profiles(fmt)}
    assert {} == {profile: step for profile, step in found.items() if step is None}


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=lambda f: f.name)
def test_without_a_fault_nothing_is_caught(fmt: Format) -> None:
    """The same author without a fault is explained by the profile that computes scalars in double."""
    names = sorted({fault.rule for fault in FAULTS})
    assert {} == {n: s for n in names if (s := first_step_outside(Fault("none", n), fmt, "each")) is not None}


def test_at_least_32_faults_are_seeded() -> None:
    """The number of seeded faults, counted once per rule and mistake."""
    assert len(FAULTS) == len({(f.rule, f.says) for f in FAULTS}) >= 32
