"""The enclosure of one step: every value an implementation of a rule may leave in theta and in the state.

The class of implementations covered: straight-line evaluation of the rule's lines in their order, where

- every elementary operation may or may not be rounded to the format, square roots are faithful, stores are rounded;
- products and quotients are associated in any order, shared factors folded (lr/bias_correction anywhere);
- b*x + (1-b)*y may be a lerp, x*(1 - lr*wd) may be x - lr*wd*x, sqrt(v/c) may be sqrt(v)/sqrt(c);
- sums of three and more terms are associated in any order;
- scalars follow one of the profiles of `verifier.enclosure.scalars`;
- a comparison whose operands' enclosures overlap may go either way.

Not covered: distributing a product over a sum (torch's capturable Adam on CUDA, which divides eps by the step size),
except in ASGD's x*(1 - a*b) - b*d; sums of reciprocals; arithmetic narrower than the format; subnormals flushed to
zero; skipping a term whose shared factor is zero where the other factor is not finite.

Elements of which nothing can be said (division by a range that holds zero, inf - inf) are `vacuous`: count and show
them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from verifier.case import Case, Group
from verifier.enclosure import interval
from verifier.enclosure.computed import Enclosure
from verifier.enclosure.evaluate import Order, Outcomes, Value, evaluate
from verifier.enclosure.program import Program, initial_program, program
from verifier.enclosure.reading import Alternative
from verifier.enclosure.scalars import PROFILES, Profile, Scalar, Setting, one_value, profiles
from verifier.floats import Array, Format
from verifier.rule import Rule, maximized, t

__all__ = ["PROFILES", "Enclosure", "Profile", "initial", "profiles", "propagate", "step"]

BLOCK = 8192
"""Elements evaluated together: few enough that the intermediate arrays stay in the processor's cache."""

WORLDS = 27
"""Combinations of comparison outcomes tried; elements with more are vacuous."""


def step(
    rule: Rule,
    fmt: Format,
    *,
    theta: Array | Enclosure,
    grad: Array | Enclosure,
    state: Mapping[str, Array | Enclosure],
    hyper: Mapping[str, float | Array],
    t: int | Array,
    profile: str = "each",
    real: bool = False,
) -> dict[str, Enclosure]:
    """What theta and each state variable may be after one step, by name; each of shape (N,).

    `theta`, `grad` and `state` are values before the step (float64, already of the format), or enclosures of them;
    `hyper` has one number a name or one an element; `t` is the number of the step, from 1, or one an element.
    With `real`, bounds of the rule's real value instead, for the hyperparameters as exact doubles.
    RuleError where the rule uses a construct the enclosure does not cover.
    """
    given: dict[str, Any] = {rule.theta.name: theta, rule.grad.name: grad, **state}
    return _run(program(rule), fmt, given, hyper, t, profile, real, _size(theta))


def initial(
    rule: Rule,
    fmt: Format,
    *,
    theta: Array | Enclosure,
    hyper: Mapping[str, float | Array],
    profile: str = "each",
    real: bool = False,
) -> dict[str, Enclosure]:
    """The state before the first step, by name, as stored. shape=(N,) each."""
    found = _run(initial_program(rule), fmt, {rule.theta.name: theta}, hyper, 1, profile, real, _size(theta))
    return {name: e.stored() for name, e in found.items()}


def propagate(
    rule: Rule, fmt: Format, case: Case, profile: str = "each", real: bool = False, steps: int | None = None
) -> list[dict[str, Enclosure]]:
    """theta and state after 0, 1, ... `steps` steps (default: all) from the initial state, never re-anchored.

    Groups, schedule and `maximize` are honoured; a tensor whose gradient is absent is skipped, its step count too.
    """
    if case.maximize and not rule.maximize:
        rule = maximized(rule)
    steps = case.steps if steps is None else steps
    name = rule.theta.name
    start = Enclosure.exact(fmt.round(case.theta), None if real else fmt)
    now: list[dict[str, Enclosure]] = [{name: start[part]} for part in case.slices]
    counts = np.zeros(len(case.shapes), dtype=np.int64)
    rows = [_joined(rule, fmt, case, now, profile, real)]
    for number in range(1, steps + 1):
        for group in case.all_groups:
            present = [k for k in sorted(group.tensors) if (number, k) not in case.absent]
            counts[present] += 1
            hyper = case.hyper_at(number, group)
            for k in present:
                if len(now[k]) <= len(rule.state) and rule.state:  # its first step
                    now[k] |= initial(rule, fmt, theta=now[k][name], hyper=hyper, profile=profile, real=real)
            for count in sorted({int(counts[k]) for k in present}):
                tensors = [k for k in present if counts[k] == count and case.sizes[k]]
                if not tensors:
                    continue
                before = {n: Enclosure.concatenate([now[k][n] for k in tensors]) for n in now[tensors[0]]}
                grad = fmt.round(case.grads[number - 1])[case.elements_of(Group(tuple(tensors)))]
                theta = before.pop(name)
                after = step(
                    rule, fmt, theta=theta, grad=grad, state=before, hyper=hyper, t=count, profile=profile, real=real
                )
                ends = np.cumsum([0, *(case.sizes[k] for k in tensors)])
                for k, a, b in zip(tensors, ends[:-1], ends[1:], strict=True):
                    now[k] = {n: e[int(a) : int(b)] for n, e in after.items()}
        rows.append(_joined(rule, fmt, case, now, profile, real))
    return rows


def _joined(
    rule: Rule, fmt: Format, case: Case, now: list[dict[str, Enclosure]], profile: str, real: bool
) -> dict[str, Enclosure]:
    """The tensors of a case in flat order; state that does not exist yet is its initial value."""
    parts = [dict(p) for p in now]
    for group in case.all_groups:
        for k in group.tensors:
            if rule.state and len(parts[k]) <= len(rule.state):
                theta = parts[k][rule.theta.name]
                hyper = case.hyper_at(1, group)
                parts[k] |= initial(rule, fmt, theta=theta, hyper=hyper, profile=profile, real=real)
    names = [rule.theta.name, *(s.name for s in rule.state)]
    return {n: _side_by_side([p[n] for p in parts]) for n in names}


def _side_by_side(parts: list[Enclosure]) -> Enclosure:
    """Like `Enclosure.concatenate`, with the rounding of the store still open."""
    if not parts:
        return Enclosure.exact(np.zeros(0))
    parts = [p.final() if not p.alternatives else p.stored() for p in parts]
    nan = np.concatenate([p.where_nan() for p in parts])
    lo = np.concatenate([np.broadcast_to(p.lo, len(p)) for p in parts])
    hi = np.concatenate([np.broadcast_to(p.hi, len(p)) for p in parts])
    return Enclosure(lo, hi, parts[0].fmt, nan=nan if nan.any() else None, kind="sum", rounds=1)


def _size(theta: Array | Enclosure) -> int:
    return len(theta) if isinstance(theta, Enclosure) else int(np.asarray(theta).size)


def _run(
    code: Program,
    fmt: Format,
    given: Mapping[str, Any],
    hyper: Mapping[str, float | Array],
    count: int | Array,
    profile: str,
    real: bool,
    size: int,
) -> dict[str, Enclosure]:
    setting = Setting.of(fmt, profile, real)
    tensors: dict[int, Enclosure] = {}
    scalars: dict[int, Value] = {}
    for name, number in code.inputs.items():
        if name == t.name:
            scalars[number] = setting.known(one_value(count))
        elif name in hyper:
            scalars[number] = setting.given(one_value(hyper[name]))
        elif name in given and name in code.held:
            scalars[number] = _kept(setting, given[name])
        elif name in given:
            tensors[number] = _tensor(given[name], setting.fmt)
    if size == 0:
        return {name: Enclosure.exact(np.zeros(0), setting.fmt) for name in code.results}
    common = _common(code, setting, scalars)
    blocks = []
    for start in range(0, size, BLOCK):
        where = slice(start, min(start + BLOCK, size))
        blocks.append(_block(code, setting, scalars, common, tensors, where))
    return blocks[0] if len(blocks) == 1 else {n: _blocks_joined([b[n] for b in blocks]) for n in code.results}


_SCALARS: dict[Any, tuple[Program, dict[int, Value]]] = {}
"""The shared values of recent steps: checks ask for the same step again and again."""


def _common(code: Program, setting: Setting, scalars: Mapping[int, Value]) -> Mapping[int, Value]:
    """The values all elements share, from the cache where every input is one point."""
    shared = [i for i in code.instructions if i.shared]
    points = tuple((n, v.fine.lo.tobytes()) for n, v in scalars.items() if v.fine.is_point and len(v.fine) == 1)
    if len(points) < len(scalars):
        return evaluate(shared, scalars, {}, Outcomes())
    key = (id(code), setting, points)
    if key not in _SCALARS:
        if len(_SCALARS) > 500:
            _SCALARS.clear()
        _SCALARS[key] = code, evaluate(shared, scalars, {}, Outcomes())  # keeping `code` keeps its id
    return _SCALARS[key][1]


def _kept(setting: Setting, value: Array | Enclosure) -> Scalar:
    if not isinstance(value, Enclosure):
        return setting.known(one_value(value))
    a = value.stored()
    lo, hi = one_value_of(a.lo, a.hi)
    lo, hi = interval.convert(lo, hi, interval.base_dtype(setting.arithmetic))
    return Scalar(setting, Enclosure(lo, hi, setting.arithmetic, nan=a.nan))


def one_value_of(lo: Any, hi: Any) -> tuple[Any, Any]:
    """The bounds with shape (1,) where all elements share them."""
    if lo.size and (lo == lo[0]).all() and (hi == hi[0]).all():
        low = lo[:1].copy()
        return low, low if lo[0] == hi[0] else hi[:1].copy()
    return lo, hi


def _tensor(value: Array | Enclosure, fmt: Format | None) -> Enclosure:
    if isinstance(value, Enclosure):
        return value.stored() if fmt is not None else value
    return Enclosure.exact(value, fmt)


def _block(
    code: Program,
    setting: Setting,
    scalars: Mapping[int, Value],
    common: Mapping[int, Value],
    tensors: Mapping[int, Enclosure],
    where: slice,
) -> dict[str, Enclosure]:
    """One block of elements: the likely outcome of each comparison first, then every other possible one."""
    inputs = {n: _part(v, where) for n, v in {**scalars, **tensors}.items()}
    size = where.stop - where.start
    outcomes = Outcomes()
    ready = {n: _part(v, where) for n, v in common.items()} if not _undecided(common) else {}
    code_left = [i for i in code.instructions if i.target not in ready]
    values = evaluate(code_left, {**inputs, **ready}, {}, outcomes)
    found = {n: _finished(values[number], setting, size, n in code.held) for n, number in code.results.items()}
    if not outcomes.open:
        return found
    doubtful = np.zeros(size, np.bool_)
    for options in outcomes.open.values():
        doubtful |= options > 1
    elements = np.flatnonzero(doubtful)
    ways = [range(int(options.max())) for options in outcomes.open.values()]
    worlds = list(itertools.product(*ways))[1:]
    if len(worlds) >= WORLDS:
        return {n: _lost(e, elements) for n, e in found.items()}
    part = {n: _pick(v, elements, size) for n, v in inputs.items()}
    others: dict[str, list[Alternative]] = {n: [] for n in found}
    for world in worlds:
        choice = dict(zip(outcomes.open, world, strict=True))
        values = evaluate(code.instructions, part, choice, Outcomes())
        for n, number in code.results.items():
            e = _finished(values[number], setting, len(elements), n in code.held)
            others[n].append(Alternative(elements, e))
    for n, e in found.items():
        e.alternatives = tuple(others[n])
    return found


def _part(value: Value, where: slice) -> Value:
    """The elements of a value that lie in a block; what all elements share stays as it is."""
    if isinstance(value, Enclosure):
        return value if len(value) == 1 else value[where]
    if isinstance(value, Scalar):
        return value[where]
    return value


def _pick(value: Value, elements: Any, size: int) -> Value:
    if isinstance(value, Scalar):
        return value if len(value.fine) == 1 else value[elements]
    return value if len(value) == 1 and size > 1 else value[elements]


def _undecided(values: Mapping[int, Value]) -> bool:
    """Whether a comparison among shared values varies by element or could go either way."""
    return any(isinstance(v, Order) and (v.open or len(v.sign) > 1) for v in values.values())


def _finished(value: Value, setting: Setting, size: int, held: bool) -> Enclosure:
    """A result as an enclosure of shape (size,), in the format it is stored in."""
    if isinstance(value, Scalar):
        if held and setting.held is not None:
            a = value.fine.settled()
            lo, hi = interval.convert(a.lo, a.hi, interval.base_dtype(setting.held))
            e = Enclosure(lo, hi, setting.held, nan=a.nan, kind="sum", rounds=1)
        else:
            e = value.coarse.final()
    else:
        e = value.final()
    lo, hi = np.broadcast_to(e.lo, size), np.broadcast_to(e.hi, size)
    nan = None if e.nan is None else np.broadcast_to(e.nan, size)
    return Enclosure(lo, hi, e.fmt, nan=nan, kind="sum", rounds=1)


def _blocks_joined(parts: list[Enclosure]) -> Enclosure:
    nan = np.concatenate([p.where_nan() for p in parts]) if any(p.nan is not None for p in parts) else None
    others = []
    start = 0
    for p in parts:
        others += [Alternative(elements + start, e) for elements, e in p.alternatives]
        start += len(p)
    lo, hi = np.concatenate([p.lo for p in parts]), np.concatenate([p.hi for p in parts])
    return Enclosure(lo, hi, parts[0].fmt, nan=nan, kind="sum", rounds=1, alternatives=tuple(others))


def _lost(e: Enclosure, elements: Any) -> Enclosure:
    lo, hi = e.lo.copy(), e.hi.copy()
    lo[elements], hi[elements] = -np.inf, np.inf
    return Enclosure(lo, hi, e.fmt, nan=e.nan, kind="sum", rounds=1)
