"""A mistake in a step over whole tensors, shown on numbers: what a few steps from nothing give with it and without."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from verifier.lift import expr
from verifier.lift.evaluate import holds
from verifier.lift.generic_state import T
from verifier.lift.lifted import Lift
from verifier.lift.matrix_search import Absent, Family, Form, Line, Way, start

STEPS = (1, 2, 3)
"""How many steps are tried; the fewest that show the mistake as far as any do are kept."""

SCALES = (1.0, 1 / 64)
"""How large gradients are tried: some bounds on them are met, and some are not."""


def shown(form: Form, read: Lift, options: Mapping[str, Any]) -> dict[str, Any]:
    """A run on which the mistake of `form` shows most: shape, theta, grads, hyper, and of the parameter's element with
    that number what it may be by the rule, and what the mistake makes it; empty where no run of a few steps shows it.

    Values are doubles, computed by the lines of the rule themselves, the wrong one in every way that others write it:
    the mistake shows where it is far from all of them. `options` are the constructor's.
    """
    assert read.steps is not None and form.family is not None
    shape = tuple(read.steps.main.shapes[0])
    count = math.prod(shape)
    draw = np.random.default_rng(count)
    theta, *drawn = draw.integers(-48, 49, (1 + max(STEPS), count)) / 32 + 1 / 64
    best: tuple[float, dict[str, Any]] = (0.0, {})
    for hyper, scale, steps in itertools.product(_hypers(read), SCALES, STEPS):
        grads = np.array(drawn[:steps]) * scale
        given = (read, options, hyper, theta.reshape(shape), grads.reshape((steps, *shape)))
        with np.errstate(all="ignore"):
            code = _given(form, form.ways, given) if _read(read, given) else None
            rules = [one for ways in _mended(form, options) if (one := _given(form, ways, given)) is not None]
            if code is None or not rules:
                continue
            apart = np.min([np.abs(rule - code) / np.maximum(np.abs(rule), np.abs(code)) for rule in rules], axis=0)
        if np.isfinite(apart).all() and apart.max() > best[0]:
            k = int(apart.argmax())
            told = {"element": k, "by_rule": sorted({float(rule.flat[k]) for rule in rules})}
            case = {"shape": shape, "theta": theta.tolist(), "grads": grads.tolist(), "hyper": hyper}
            best = float(apart.max()), {**case, **told, "mistaken": float(code.flat[k])}
    return best[1]


def _read(read: Lift, given: tuple[Any, ...]) -> bool:
    """Whether the first of the steps takes the branches that were read, so that the lines are the code's."""
    assert read.steps is not None
    _, _, hyper, theta, grads = given
    point = {expr.sym(name): hyper[name] for name in read.hyper}
    for name, values in (("theta", theta), ("g", grads[0])):
        point |= {expr.sym(name, (0, k)): float(v) for k, v in enumerate(values.flat)}
    return all(holds(condition.assumed, point) is not False for condition in read.steps.main.first_conditions)


def _given(form: Form, ways: Sequence[Way], given: tuple[Any, ...]) -> Any:
    """What a run gives by some lines; None where they read what the code has not."""
    assert form.family is not None
    try:
        return _run(form.family, ways, form.names, *given)
    except (Absent, KeyError):
        return None


def _mended(form: Form, options: Mapping[str, Any]) -> Iterator[tuple[Way, ...]]:
    """The lines of the code, with the one that is wrong as others write it."""
    assert form.family is not None and form.wrong is not None
    at = form.ways.index(form.wrong)
    for way in form.family.slots[at].ways:
        if not way.wrong and not (way.unless and options.get(way.unless)):
            yield (*form.ways[:at], way, *form.ways[at + 1 :])


def _hypers(read: Lift) -> Iterator[dict[str, float]]:
    """Values of the options: the defaults with what is off switched on; and large ones, beside which little is lost."""
    on = {name: value if value or not math.isfinite(value) else 0.25 for name, value in read.hyper.items()}
    large = {"lr": 0.5} | {name: 0.125 for name in on if name.startswith("eps")}
    yield on
    yield {name: large.get(name, value) for name, value in on.items()}


def _run(
    family: Family,
    ways: Sequence[Way],
    names: Mapping[str, str],
    read: Lift,
    options: Mapping[str, Any],
    hyper: Mapping[str, float],
    theta: Any,
    grads: Any,
) -> Any:
    """The parameter after the steps, by these lines."""
    shape = theta.shape
    was = {slot: np.zeros(family.shaped[slot](shape) if slot in family.shaped else shape) for slot in names}
    for step, g in enumerate(grads, 1):
        point = {expr.sym(name): hyper[name] for name in read.hyper} | {T: float(step)}
        for name, values in (("theta", theta), ("g", g)):
            point |= {expr.sym(name, (0, k)): float(v) for k, v in enumerate(values.flat)}
        line = Line({**start(read, [], step == 1, family, options, point), "was": Line(was)})
        for slot, way in zip(family.slots, ways, strict=True):
            line[slot.name] = (way.first if way.first is not None and step == 1 else way.value)(line)
        theta, was = line[family.slots[-1].name], {slot: line[slot] for slot in names}
    return theta
