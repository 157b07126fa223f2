"""The enclosure against balls of 300 bits: an interpreter of the rules that shares nothing with it but the rule."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
import sympy
from flint import arb

from tests.legitimate import draw_case
from verifier import enclosure, rules
from verifier.case import Case
from verifier.enclosure.computed import Enclosure
from verifier.floats import FORMATS, FP64, Format
from verifier.rule import Rule, t

Balls = dict[str, Any]


def ball(value: Any) -> arb:
    """A float, long double, integer or rational as a ball of radius 0 (or of the working precision for 1/3)."""
    if isinstance(value, sympy.Rational):
        return arb(flint.fmpq(int(value.p), int(value.q)))
    p, q = value.as_integer_ratio() if hasattr(value, "as_integer_ratio") else Fraction(value).as_integer_ratio()
    return arb(flint.fmpq(int(p), int(q)))


def evaluate(e: sympy.Expr, known: Balls) -> arb:
    """The value of an expression in ball arithmetic; a ball that is not finite where it is undefined or undecided."""
    if isinstance(e, sympy.Symbol):
        return known[e.name]
    if e.is_Rational:
        return ball(e)
    if isinstance(e, sympy.Piecewise):
        for value, condition in e.args:
            decided = True if condition == sympy.true else holds(condition, known)
            if decided is None:
                return arb("nan")
            if decided:
                return evaluate(value, known)
    if isinstance(e, sympy.sign):
        value = evaluate(e.args[0], known)
        return arb(1) if value > 0 else arb(-1) if value < 0 else arb(0) if value == 0 else arb("nan")
    parts = [evaluate(a, known) for a in e.args]
    if isinstance(e, sympy.Pow):
        if e.exp == sympy.Rational(1, 2):
            return parts[0].sqrt()
        if e.exp == sympy.Rational(-1, 2):
            return 1 / parts[0].sqrt()
        return parts[0] ** int(e.exp) if e.exp.is_Integer else parts[0] ** parts[1]
    if isinstance(e, sympy.Abs):
        return abs(parts[0])
    fold = {sympy.Add: arb.__add__, sympy.Mul: arb.__mul__, sympy.Max: arb.max, sympy.Min: arb.min}[type(e)]
    total = parts[0]
    for part in parts[1:]:
        total = fold(total, part)
    return total


def holds(condition: Any, known: Balls) -> bool | None:
    """Whether a comparison of balls is certain; None where the balls overlap."""
    gap = evaluate(condition.lhs, known) - evaluate(condition.rhs, known)
    sign = 1 if gap > 0 else -1 if gap < 0 else 0 if gap == 0 else None
    if sign is None:
        return None
    return {sympy.Gt: sign > 0, sympy.Lt: sign < 0, sympy.Eq: sign == 0}[type(condition)]


def step(rule: Rule, known: Balls) -> Balls:
    """theta and state after one step, as balls."""
    now = dict(known)
    for target, value in rule.step:
        now[target.name] = evaluate(sympy.sympify(value), now)
    return {s.name: now[s.name] for s in (rule.theta, *rule.state)}


def start(rule: Rule, theta: float, hyper: Mapping[str, float]) -> Balls:
    known = {**{n: ball(v) for n, v in hyper.items()}, rule.theta.name: ball(theta)}
    state = {s.name: evaluate(sympy.sympify(e), known) for s, e in rule.state.items()}
    return {**known, **state}


def disagreement(found: Enclosure, k: int, real: arb) -> str:
    """Empty, or why the interval before the store does not hold the ball."""
    lo, hi = found.before_last_rounding()
    if not real.is_finite() or bool(found.where_nan()[k]):
        return ""
    low, high = (np.broadcast_to(x, len(found))[k] for x in (lo, hi))
    above = not np.isfinite(low) or ball(low) <= real
    below = not np.isfinite(high) or real <= ball(high)
    return "" if above and below else f"element {k}: {real} is not in [{low!r}, {high!r}]"


@pytest.fixture(autouse=True)
def bits() -> Any:
    """300 bits for every ball."""
    before, flint.ctx.prec = flint.ctx.prec, 300
    yield
    flint.ctx.prec = before


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda f: f.name)
@pytest.mark.parametrize("name", rules.names())
def test_both_hold_the_real_value(name: str, fmt: Format) -> None:
    """Step by step from the same point, real=True and the rounded enclosure both hold the rule's real value."""
    rule, count = rules.get(name), 12
    rng = np.random.default_rng([3, sum(map(ord, name + fmt.name))])
    hyper, theta, grads = draw_case(rule, fmt, rng, count, 4, wild=False)
    state: dict[str, Any] = enclosure.initial(rule, fmt, theta=theta, hyper=hyper, profile="wide")
    failures, finite = [], 0
    for number, grad in enumerate(grads, 1):
        points = {n: e.lo.astype(np.float64) for n, e in state.items()}
        for e in points.values():
            e.setflags(write=False)
        given = dict(theta=theta, grad=grad, state=points, hyper=hyper, t=number, profile="wide")
        kinds = {"real": enclosure.step(rule, fmt, **given, real=True), "rounded": enclosure.step(rule, fmt, **given)}
        for k in range(count):
            known = start(rule, theta[k], hyper) | {t.name: ball(number), rule.grad.name: ball(grad[k])}
            known |= {n: ball(np.broadcast_to(v, count)[k]) for n, v in points.items()}
            for target, real in step(rule, known).items():
                finite += bool(real.is_finite())
                for kind, found in kinds.items():
                    why = disagreement(found[target], k, real)
                    failures += [f"step {number}, {kind}, {target}, {why}; {hyper}"] if why else []
        state = {n: e.stored() for n, e in kinds["rounded"].items() if n != rule.theta.name}
        stored = kinds["rounded"][rule.theta.name].stored().lo.astype(np.float64)
        theta = np.where(np.isfinite(stored), stored, theta)
        state = {n: Enclosure(e.lo, e.lo, e.fmt) for n, e in state.items()}
        if not all(np.isfinite(e.lo).all() for e in state.values()):
            break
    assert ([], True) == (failures, finite > 0)


@pytest.mark.parametrize("name", rules.names())
def test_a_real_trajectory_is_enclosed(name: str) -> None:
    """Five steps of real arithmetic, never rounded, stay in propagate(real=True)."""
    rule, count, steps = rules.get(name), 6, 5
    rng = np.random.default_rng([5, sum(map(ord, name))])
    hyper, theta, grads = draw_case(rule, FP64, rng, count, steps, wild=False)
    case = Case(shapes=((count,),), theta=theta, grads=np.stack(grads), hyper=hyper)
    found = enclosure.propagate(rule, FP64, case, "each", real=True)
    failures = []
    for k in range(count):
        known = start(rule, theta[k], hyper)
        for number in range(1, steps + 1):
            known |= {t.name: ball(number), rule.grad.name: ball(grads[number - 1][k])}
            known |= step(rule, known)
            why = disagreement(found[number]["theta"], k, known["theta"])
            failures += [f"step {number}, {why}; {hyper}"] if why else []
    assert [] == failures


def test_the_oracle_can_disagree() -> None:
    """The balls of AdamW are not in the enclosures of Adam."""
    rule, wrong = rules.get("adam"), rules.get("adamw")
    rng = np.random.default_rng(1)
    hyper, theta, grads = draw_case(rule, FP64, rng, 8, 1, wild=False)
    hyper["weight_decay"] = 0.1
    state = enclosure.initial(rule, FP64, theta=theta, hyper=hyper)
    found = enclosure.step(rule, FP64, theta=theta, grad=grads[0], state=state, hyper=hyper, t=1, real=True)
    told = 0
    for k in range(8):
        known = start(wrong, theta[k], hyper) | {t.name: ball(1), rule.grad.name: ball(grads[0][k])}
        told += bool(disagreement(found["theta"], k, step(wrong, known)["theta"]))
    assert 5 < told
