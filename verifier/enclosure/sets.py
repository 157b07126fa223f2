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

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from verifier.enclosure import blocks, interval
from verifier.enclosure.computed import Enclosure
from verifier.enclosure.evaluate import Order, Outcomes, Value, evaluate
from verifier.enclosure.program import Instruction, Program, initial_program, program
from verifier.enclosure.scalars import Scalar, Setting, one_value
from verifier.floats import Array, Format, Indices
from verifier.rule import Rule, t


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
    of: Indices | None = None,
) -> dict[str, Enclosure]:
    """What theta and each state variable may be after one step, by name; each of shape (N,).

    `theta`, `grad` and `state` are values before the step (float64, already of the format), or enclosures of them;
    `hyper` has one number a name or one an element; `t` is the number of the step, from 1, or one an element. With
    `of`, shape (N,), both have one number a kind of element instead, and element n is of kind of[n].
    With `real`, bounds of the rule's real value instead, for the hyperparameters as exact doubles.
    RuleError where the rule uses a construct the enclosure does not cover.
    """
    given: dict[str, Any] = {rule.theta.name: theta, rule.grad.name: grad, **state}
    return run(program(rule), Setting.of(fmt, profile, real), given, hyper, t, size_of(theta), of)


def initial(
    rule: Rule,
    fmt: Format,
    *,
    theta: Array | Enclosure,
    hyper: Mapping[str, float | Array],
    profile: str = "each",
    real: bool = False,
    of: Indices | None = None,
) -> dict[str, Enclosure]:
    """The state before the first step, by name, as stored. shape=(N,) each. Arguments as for `step`."""
    setting = Setting.of(fmt, profile, real)
    found = run(initial_program(rule), setting, {rule.theta.name: theta}, hyper, 1, size_of(theta), of)
    return {name: e.stored() for name, e in found.items()}


def size_of(theta: Array | Enclosure) -> int:
    """How many elements there are."""
    return len(theta) if isinstance(theta, Enclosure) else int(np.asarray(theta).size)


def run(
    code: Program,
    setting: Setting,
    given: Mapping[str, Any],
    hyper: Mapping[str, float | Array],
    count: int | Array,
    size: int,
    of: Indices | None = None,
) -> dict[str, Enclosure]:
    """The results of a program for `size` elements, by name; `given` are tensors and kept scalars, see `step`."""
    if of is None:
        return _run_alike(code, setting, given, hyper, count, size, None)
    branch = branches(code, setting, hyper, count)

    def alike(number: int, elements: Indices | None) -> dict[str, Enclosure]:
        table, counts, place = only_branch(branch, number, hyper, count)
        where = slice(None) if elements is None else elements
        some = {n: v[where] if isinstance(v, Enclosure) else np.asarray(v)[where] for n, v in given.items()}
        return _run_alike(
            code, setting, some, table, counts, size if elements is None else len(elements), place[of[where]]
        )

    return blocks.apart(branch[of], alike)


def _run_alike(
    code: Program,
    setting: Setting,
    given: Mapping[str, Any],
    hyper: Mapping[str, float | Array],
    count: int | Array,
    size: int,
    of: Indices | None,
) -> dict[str, Enclosure]:
    """As `run`, where every comparison of what elements share goes one way for all of them."""
    values = inputs(code, setting, given, hyper, count)
    own = {code.inputs[name] for name in given}  # one an element; of hyperparameters, one a kind of element
    known, _ = ahead(code, [i for i in code.after(own)[0] if i.shared], values, setting)
    todo = tuple(i for i in code.instructions if i.target not in known)
    ready = {n: known[n] for n in blocks.read_by(code, todo, setting) if n in known}
    if of is not None:
        ready = {n: v if n in own else blocks.part(v, of) for n, v in ready.items()}
    return blocks.enclosed(code, todo, ready, setting, size)


def branches(code: Program, setting: Setting, hyper: Mapping[str, float | Array], count: int | Array) -> Indices:
    """A number for each kind of element: the same for those whose shared comparisons go the same way.

    Kinds that take different branches are enclosed apart, each as tightly as if it were alone.
    """
    orders = [i.target for i in code.instructions if i.op == "compare" and i.shared]
    kinds = np.zeros(max(np.size(v) for v in (count, *hyper.values())), np.int64)
    if not orders or kinds.size < 2:
        return kinds
    needed = code.needed(orders)
    held = {code.inputs[name] for name in code.held}
    if any(not held.isdisjoint(i.args) for i in needed):
        return kinds
    found, _ = ahead(code, needed, inputs(code, setting, {}, hyper, count), setting)
    for n in orders:
        if n in found:
            kinds = kinds * 3 + found[n].sign + 1
    return np.unique(kinds, return_inverse=True)[1]


def only_branch(
    branch: Indices, number: int, hyper: Mapping[str, Any], count: Any
) -> tuple[Mapping[str, Any], Any, Indices]:
    """Hyperparameters and counts of the kinds of element in a branch, and where each kind went (0: elsewhere)."""
    kinds = np.flatnonzero(branch == number)
    place = np.zeros(len(branch), np.int64)
    place[kinds] = np.arange(len(kinds))

    def some(values: Any) -> Any:
        return values if np.size(values) == 1 else values[kinds]

    return {n: some(v) for n, v in hyper.items()}, some(count), place


def inputs(
    code: Program, setting: Setting, given: Mapping[str, Any], hyper: Mapping[str, float | Array], count: int | Array
) -> dict[int, Value]:
    """The inputs of a program by number: tensors and kept scalars from `given`, hyperparameters, the step's number."""
    values: dict[int, Value] = {}
    for name, number in code.inputs.items():
        if name == t.name:
            values[number] = setting.counted(one_value(count))
        elif name in hyper:
            values[number] = setting.given(one_value(hyper[name]))
        elif name in given and name in code.held:
            values[number] = kept(setting, given[name])
        elif name in given:
            values[number] = tensor(given[name], setting.fmt)
    return values


def ahead(
    code: Program, early: Iterable[Instruction], values: Mapping[int, Value], setting: Setting
) -> tuple[dict[int, Value], list[int]]:
    """The values that `early` instructions compute, added to `values`, and the comparisons that must wait.

    A comparison that could go either way must be decided element by element, together with what depends on it.
    """
    found = evaluate(early, values, setting, {}, Outcomes(), code.instructions)
    undecided = [n for n, v in found.items() if isinstance(v, Order) and v.open]
    if not undecided:
        return found, undecided
    late = {i.target for i in code.after(undecided)[1]}
    return {n: v for n, v in found.items() if n not in late}, undecided


def kept(setting: Setting, value: Array | Enclosure) -> Scalar:
    """A scalar the optimizer keeps, as it was read or as it is enclosed."""
    if not isinstance(value, Enclosure):
        return setting.known(one_value(value))
    a = value.stored()
    lo, hi = _one_value_of(a.lo, a.hi)
    lo, hi = interval.convert(lo, hi, interval.base_dtype(setting.arithmetic))
    return Scalar(setting, Enclosure(lo, hi, setting.arithmetic, nan=a.nan))


def _one_value_of(lo: Any, hi: Any) -> tuple[Any, Any]:
    """The bounds with shape (1,) where all elements share them."""
    if lo.size and (lo == lo[0]).all() and (hi == hi[0]).all():
        low = lo[:1].copy()
        return low, low if lo[0] == hi[0] else hi[:1].copy()
    return lo, hi


def tensor(value: Array | Enclosure, fmt: Format | None) -> Enclosure:
    """A tensor's values, as given or as they are enclosed."""
    if isinstance(value, Enclosure):
        return value.stored() if fmt is not None else value
    return Enclosure.exact(value, fmt)
