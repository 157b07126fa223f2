"""Evaluates a program for many elements: in blocks that fit the cache, and in every world open comparisons allow."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.enclosure import interval
from verifier.enclosure.computed import Enclosure
from verifier.enclosure.evaluate import Order, Outcomes, Value, evaluate
from verifier.enclosure.program import Instruction, Program
from verifier.enclosure.reading import Alternative
from verifier.enclosure.scalars import Scalar, Setting

BLOCK = 8192
"""Elements evaluated together: few enough that the intermediate arrays stay in the processor's cache."""

WORLDS = 27
"""Combinations of comparison outcomes tried; elements with more are vacuous."""

Which = slice | NDArray[Any]


def part(value: Value, which: Which) -> Value:
    """Some elements of a value, in the order asked for; what all elements share stays as it is."""
    size = len(value.fine) if isinstance(value, Scalar) else len(value.sign) if isinstance(value, Order) else len(value)
    return value if size == 1 else value[which]


def read_by(code: Program, instructions: Iterable[Instruction], setting: Setting) -> list[int]:
    """The numbers of the values that `instructions`, a part of `code`, and its results read but do not compute."""
    made: set[int] = set()
    read: dict[int, None] = {}
    for i in instructions:
        made.add(i.target)
        read |= dict.fromkeys(i.args)
        if i.op == "hold" and setting.kept is not None:  # computed anew from the inputs on
            read |= dict.fromkeys(code.inputs.values())
    read |= dict.fromkeys(code.results.values())
    return [n for n in read if n not in made]


def enclosed(
    code: Program,
    instructions: Sequence[Instruction],
    known: Mapping[int, Value],
    setting: Setting,
    size: int,
) -> dict[str, Enclosure]:
    """The results of `code` by name, each of shape (size,), by evaluating `instructions` on what is `known`.

    `known` holds everything they read, one value an element or one for all.
    """
    if size == 0:
        return {name: Enclosure.exact(np.zeros(0), setting.fmt) for name in code.results}
    blocks = []
    for start in range(0, size, BLOCK):
        where = slice(start, min(start + BLOCK, size))
        inputs = known if size <= BLOCK else {n: part(v, where) for n, v in known.items()}
        blocks.append(_block(code, instructions, inputs, setting, where.stop - where.start))
    return blocks[0] if len(blocks) == 1 else {n: joined([b[n] for b in blocks]) for n in code.results}


def apart(
    kinds: NDArray[np.int64], enclose: Callable[[int, NDArray[np.int64] | None], dict[str, Enclosure]]
) -> dict[str, Enclosure]:
    """What `enclose(kind, elements)` finds for the elements of each kind, put back in order; None for all elements."""
    if not kinds.size or (kinds == kinds[0]).all():
        return enclose(int(kinds[0]) if kinds.size else 0, None)
    classes = {int(kind): np.flatnonzero(kinds == kind) for kind in np.unique(kinds)}
    found = [enclose(kind, elements) for kind, elements in classes.items()]
    places = np.argsort(np.concatenate(list(classes.values())), kind="stable")
    return {name: joined([one[name] for one in found])[places] for name in found[0]}


def _block(
    code: Program,
    instructions: Sequence[Instruction],
    known: Mapping[int, Value],
    setting: Setting,
    size: int,
) -> dict[str, Enclosure]:
    """One block of elements: the likely outcome of each comparison first, then every other possible one."""
    outcomes = Outcomes()
    values = evaluate(instructions, known, setting, {}, outcomes, code.instructions)
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
    some = {n: v if size == 1 else part(v, elements) for n, v in known.items()}
    others: dict[str, list[Alternative]] = {n: [] for n in found}
    for world in worlds:
        choice = dict(zip(outcomes.open, world, strict=True))
        values = evaluate(instructions, some, setting, choice, Outcomes(), code.instructions)
        for n, number in code.results.items():
            e = _finished(values[number], setting, len(elements), n in code.held)
            others[n].append(Alternative(elements, e))
    for n, e in found.items():
        e.alternatives = tuple(others[n])
    return found


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
    if len(e) == size:
        return e
    lo, hi = np.broadcast_to(e.lo, size), np.broadcast_to(e.hi, size)
    nan = None if e.nan is None else np.broadcast_to(e.nan, size)
    return Enclosure(lo, hi, e.fmt, nan=nan, kind="sum", rounds=1)


def joined(parts: Sequence[Enclosure]) -> Enclosure:
    """The elements of `parts`, finished results, one after the other."""
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
