"""Whole cases: what theta and state may be after every step, carried as enclosures from step to step.

What a step reads of the hyperparameters, of its number, of the gradients, and of parameters that were observed does
not depend on the step before. It is evaluated for all steps at once; only what depends on carried values waits.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.case import Case
from verifier.enclosure import blocks, sets
from verifier.enclosure.computed import Enclosure
from verifier.enclosure.evaluate import Value
from verifier.enclosure.program import Instruction, Program, program
from verifier.enclosure.scalars import Setting
from verifier.floats import Array, Format, Indices, Mask
from verifier.rule import Rule, maximized


@dataclass(frozen=True, eq=False)
class Slots:
    """The kinds of step there are in a case: hyperparameters and number of the step, and who takes which when."""

    hyper: Mapping[str, Array]  # shape=(kinds,)
    count: Array  # shape=(kinds,); a tensor's own count, from 1
    of: Indices  # shape=(steps, elements): the kind of step each element takes
    present: Mask  # shape=(steps, elements): whether it takes one, or has no gradient
    first: Indices  # shape=(elements,): the step, from 0, that each element takes first; 0 where it takes none

    @property
    def steps(self) -> int:
        return len(self.of)


@functools.lru_cache(maxsize=16)
def slots(case: Case, steps: int) -> Slots:
    """The kinds of step of the first `steps` steps of `case`; a step without a gradient advances no tensor's count."""
    kinds: dict[tuple[float, ...], int] = {}
    elements = len(case.theta)
    of = np.zeros((max(steps, 1), elements), np.int64)
    present = np.ones((max(steps, 1), elements), np.bool_)
    first = np.full(elements, -1)
    counts = [0] * len(case.shapes)
    names = list(case.hyper_at(1, case.all_groups[0]))
    for step in range(max(steps, 1)):
        for group in case.all_groups:
            hyper = case.hyper_at(step + 1, group)
            values = tuple(hyper[name] for name in names)
            for k in group.tensors:
                where = case.slices[k]
                if (step + 1, k) in case.absent:
                    present[step, where] = False
                else:
                    if counts[k] == 0:
                        first[where] = step
                    counts[k] += 1
                key = (*values, float(max(counts[k], 1)))
                of[step, where] = kinds.setdefault(key, len(kinds))
    table = np.array(list(kinds), dtype=np.float64).reshape(len(kinds), len(names) + 1)
    hypers = {name: table[:, k].copy() for k, name in enumerate(names)}
    return Slots(hypers, table[:, -1].copy(), of[:steps], present[:steps], np.maximum(first, 0))


def propagate(
    rule: Rule, fmt: Format, case: Case, profile: str = "each", real: bool = False, steps: int | None = None
) -> list[dict[str, Enclosure]]:
    """theta and state after 0, 1, ... `steps` steps (default: all) from the initial state, never re-anchored.

    Groups, schedule and `maximize` are honoured; a tensor whose gradient is absent is skipped, its step count too.
    """
    if case.maximize and not rule.maximize:
        rule = maximized(rule)
    steps = case.steps if steps is None else steps
    plan = slots(case, steps)
    code, setting = program(rule), Setting.of(fmt, profile, real)
    begin = Enclosure.exact(fmt.round(case.theta), setting.fmt)
    kinds = _first_kinds(case, plan)
    state = sets.initial(rule, fmt, theta=begin, hyper=kinds[0], of=kinds[1], profile=profile, real=real)
    now = {rule.theta.name: begin, **state}
    given = {rule.grad.name: fmt.round(case.grads[:steps]).reshape(-1)}
    return _carry(code, setting, plan, given, now)[1]


def carried(
    rule: Rule, fmt: Format, case: Case, theta: Array, profile: str = "each", around: Enclosure | None = None
) -> Enclosure:
    """theta after every step, from the theta observed before it and a state that is never looked at.

    `theta` is what was observed, shape=(steps + 1, elements), before the first step and after each; the enclosure has
    shape (steps * elements,), step by step. `around`, of that shape too, holds what theta may have been before each
    step, where it was not observed exactly.
    """
    if case.maximize and not rule.maximize:
        rule = maximized(rule)
    plan = slots(case, case.steps)
    code, setting = program(rule), Setting.of(fmt, profile, False)
    begin = theta[plan.first, np.arange(theta.shape[1])]
    kinds = _first_kinds(case, plan)
    state = sets.initial(rule, fmt, theta=begin, hyper=kinds[0], of=kinds[1], profile=profile)
    before_step: Any = theta[:-1].reshape(-1) if around is None else around
    given = {rule.theta.name: before_step, rule.grad.name: fmt.round(case.grads).reshape(-1)}
    before, _ = _carry(code.only(state), setting, plan, given, state)
    rows = {name: _stacked([row[name] for row in before]) for name in state}
    name, flat = rule.theta.name, plan.of.reshape(-1)
    if not flat.size:
        return Enclosure.exact(np.zeros(0), fmt)
    last = sets.run(code.only([name]), setting, {**given, **rows}, plan.hyper, plan.count, flat.size, flat)
    return last[name]


def _first_kinds(case: Case, plan: Slots) -> tuple[Mapping[str, Array], Indices]:
    """The hyperparameters of each kind of step, and the kind each element takes first."""
    if plan.steps:
        return plan.hyper, plan.of[plan.first, np.arange(plan.of.shape[1])]
    begun = slots(case, 1)
    return begun.hyper, begun.of[0]


def _stacked(parts: Sequence[Enclosure]) -> Enclosure:
    """Stored values of every step, one after the other."""
    nan = np.concatenate([p.where_nan() for p in parts]) if any(p.nan is not None for p in parts) else None
    lo = np.concatenate([p.lo for p in parts])
    hi = lo if all(p.is_point for p in parts) else np.concatenate([p.hi for p in parts])
    return Enclosure(lo, hi, parts[0].fmt, nan=nan)


def _carry(
    code: Program,
    setting: Setting,
    plan: Slots,
    given: Mapping[str, Any],
    start: Mapping[str, Enclosure],
) -> tuple[list[dict[str, Enclosure]], list[dict[str, Enclosure]]]:
    """The values called as in `start` before every step, as stored, and after 0, 1, ... steps, the store still open.

    `given` are tensors known for all steps, shape=(steps * elements,), step by step.
    """
    now = dict(start)
    before: list[dict[str, Enclosure]] = []
    after = [now]
    if not plan.of.size:
        return before, after * (plan.steps + 1)
    branch = sets.branches(code, setting, plan.hyper, plan.count)
    ready = {n: _ahead(code, setting, plan, branch, n, given, start) for n in np.unique(branch).tolist()}
    for step in range(plan.steps):
        rows = {n: e.stored() for n, e in now.items()}
        before.append(rows)
        found = _stepped(code, setting, plan, branch, ready, rows, step)
        present = plan.present[step]
        if not present.all():
            found = {n: _where(present, e, now[n]) for n, e in found.items()}
        now = found
        after.append(now)
    return before, after


def _stepped(
    code: Program,
    setting: Setting,
    plan: Slots,
    branch: Indices,
    ready: Mapping[int, Ready],
    rows: Mapping[str, Enclosure],
    step: int,
) -> dict[str, Enclosure]:
    """The carried values after one step, from those before it."""
    size = plan.of.shape[1]
    start = step * size

    def alike(number: int, elements: Indices | None) -> dict[str, Enclosure]:
        one = ready[number]
        kinds = one.place[plan.of[step] if elements is None else plan.of[step][elements]]
        kinds = kinds[:1] if (kinds == kinds[0]).all() else kinds
        where = slice(start, start + size) if elements is None else start + elements
        known = {n: v[where] if n in one.tensors else blocks.part(v, kinds) for n, v in one.known.items()}
        for name, e in rows.items():
            some = e if elements is None else e[elements]
            known[code.inputs[name]] = sets.kept(setting, some) if name in code.held else some
        return blocks.enclosed(code, one.late, known, setting, size if elements is None else len(elements))

    return blocks.apart(branch[plan.of[step]], alike)


@dataclass(frozen=True, eq=False)
class Ready:
    """What was evaluated for all steps at once, for the kinds of step of one branch."""

    known: Mapping[int, Value]  # of values all elements share, one a kind of step
    tensors: frozenset[int]  # those of which there is one a step and element
    late: tuple[Instruction, ...]  # what is left for each step
    place: Indices  # where each kind of step went


def _ahead(
    code: Program,
    setting: Setting,
    plan: Slots,
    branch: Indices,
    number: int,
    given: Mapping[str, Any],
    start: Mapping[str, Enclosure],
) -> Ready:
    """What can be evaluated for all steps at once, and the instructions that cannot.

    A comparison of tensors, or an undecided one, may go either way, so it waits for the step.
    """
    hyper, count, place = sets.only_branch(branch, number, plan.hyper, plan.count)
    carried_ = {code.inputs[name] for name in start}
    values = sets.inputs(code, setting, given, hyper, count)
    early, _ = code.after(carried_)
    known, undecided = sets.ahead(code, [i for i in early if i.shared], values, setting)
    wait = {i.target for i in early if not i.shared and i.op == "compare"}
    early, late = code.after({*carried_, *undecided, *wait})
    tensors = [i for i in early if not i.shared]
    read = {a for i in tensors for a in i.args} & set(known)
    kinds = place[plan.of.reshape(-1)]
    on = {n: known[n] if isinstance(known[n], Enclosure) else blocks.part(known[n], kinds) for n in read}
    found = sets.ahead(code, tensors, on, setting)[0]
    known |= {i.target: found[i.target] for i in tensors}
    needed = [n for n in blocks.read_by(code, late, setting) if n in known]
    whole = {n: known[n] for n in needed}
    each = frozenset(n for n, v in whole.items() if isinstance(v, Enclosure) and len(v) > 1)
    return Ready(whole, each, late, place)


def _where(present: Mask, new: Enclosure, old: Enclosure) -> Enclosure:
    """`new` for the elements that took the step, `old` for the others; the store still open."""
    a, b = (e.final() if not e.alternatives else e.stored() for e in (new, old))
    nan = None
    if a.nan is not None or b.nan is not None:
        nan = np.where(present, a.where_nan(), b.where_nan())
    lo, hi = np.where(present, a.lo, b.lo), np.where(present, a.hi, b.hi)
    return Enclosure(lo, hi, a.fmt, nan=nan, kind="sum", rounds=1)
