"""What a case may be: Hypothesis strategies for tensors, gradients, hyperparameters, groups, schedules and events.

Structure and hyperparameters are drawn by Hypothesis, so that a failure shrinks to one element, one step and plain
values; the elements of a tensor come from a numpy generator seeded by one drawn integer, so that a case of a
thousand elements costs no more draws than a case of one.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st

from verifier.case import Case, Group
from verifier.floats import Array
from verifier.rule import Rule

SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
"""Element counts around the widths of vector registers (4 to 64 lanes), where bodies and tails of kernels differ."""

LAYOUTS = ("contiguous", "transposed", "sliced", "channels_last")

HYPER: Mapping[str, tuple[float, ...]] = {
    # Plain values first (failures shrink to them), none of them the constructor's default unless the default is
    # the value that switches the option off. Large lr * weight_decay: a decay below rounding would show nothing.
    "lr": (0.5, 0.25, 0.1, 0.3, 0.03, 1.0, 0.007),
    "weight_decay": (0.5, 0.25, 0.0, 0.1, 0.9, 0.03),
    "beta1": (0.5, 0.75, 0.8, 0.0, 0.95, 0.3),
    "beta2": (0.5, 0.75, 0.9, 0.99, 0.997, 0.6),
    "eps": (0.125, 1e-3, 1e-6, 0.03, 1e-10),
    "momentum": (0.5, 0.75, 0.9, 0.3),
    "dampening": (0.5, 0.0, 0.25, 0.1),
    "momentum_decay": (0.5, 0.1, 4e-3),
    "lr_decay": (0.5, 0.0, 0.1, 1.0),
    "initial_accumulator_value": (0.5, 0.0, 0.1, 1.0),
    "rho": (0.5, 0.75, 0.9, 0.99, 0.3),
    "alpha": (0.5, 0.75, 0.9, 0.99, 0.3),
    "lambd": (0.5, 0.1, 1e-4, 0.03),
    "t0": (2.0, 1.0, 5.0, 1e6),
    "etaminus": (0.5, 0.25, 0.75, 0.3),
    "etaplus": (1.5, 2.0, 1.25, 1.2),
    "step_size_min": (2.0**-10, 1e-6, 0.01, 0.05),
    "step_size_max": (1.0, 50.0, 2.0, 1.25),
}

DEFAULTS_OFF = {"weight_decay": 0.0, "dampening": 0.0, "lr_decay": 0.0, "initial_accumulator_value": 0.0}
"""Options whose default switches them off: a case that draws another value examines them."""

GRADIENTS = ("plain", "normal", "wide", "constant", "impulse", "shrinking", "near_eps", "sparse")
PARAMETERS = ("plain", "normal", "wide", "zeros")


one_of: Any = functools.cache(st.sampled_from)
whole = functools.cache(st.integers)
switch = st.booleans()
"""Strategies are built once: a new one costs as much to look into as to draw from."""


def is_eps(name: str) -> bool:
    """Whether an option is called an epsilon, of a part of the step perhaps: eps, epsilon, adam_eps."""
    return any(part.startswith("eps") for part in name.split("_"))


def _within(domain: sympy.Set) -> Callable[[float], bool]:
    """Membership in an interval, as a float comparison: sympy's own takes a millisecond."""
    low, high = float(domain.inf), float(domain.sup)
    ends = {x for x in (low, high) if math.isfinite(x) and domain.contains(sympy.Float(x)) is not sympy.true}
    return lambda x: low <= x <= high and x not in ends


@functools.cache
def hyperparameter(name: str, domain: sympy.Set) -> st.SearchStrategy[float]:
    """Values of one hyperparameter within `domain`: a few plain ones, and floats log-uniform between them."""
    low, high = float(domain.inf), float(domain.sup)
    within = _within(domain)
    inside = [x for x in HYPER.get(name, (0.5, 0.25, 0.75)) if within(x)]
    if not inside:
        bottom = low if math.isfinite(low) else -1.0
        inside = [bottom + (min(high, bottom + 2.0) - bottom) / 2]
    positive = [x for x in inside if x > 0]
    if len(positive) < 2:
        return st.sampled_from(inside)
    a, b = math.log(min(positive)), math.log(max(positive))
    spread = st.floats(a, b, allow_nan=False).map(lambda x: min(max(math.exp(x), min(positive)), max(positive)))
    off = [DEFAULTS_OFF[name]] if DEFAULTS_OFF.get(name) in inside else []  # optimizers take another path there
    return st.one_of(st.sampled_from(inside), spread, *map(st.just, off))


def alternatives(name: str, domain: sympy.Set, value: float) -> list[float]:
    """Plain values of one hyperparameter within `domain`, other than `value`; `value` itself where there is none.

    Not its double or half where others will do: a wrong rate would look like something done twice.
    """
    within = _within(domain)
    found = [x for x in HYPER.get(name, (0.5, 0.25, 0.75)) if within(x) and x != value]
    return [x for x in found if x not in (2 * value, value / 2)] or found or [value]


@functools.cache
def _dyadic(domain: sympy.Set) -> st.SearchStrategy[float]:
    within = _within(domain)
    return st.sampled_from([x for x in (0.5, 0.25, 0.125, 2.0**-6, 2.0**-7) if within(x)])


def elements(regime: str, rng: np.random.Generator, count: int, eps: float = 1e-8) -> Array:
    """`count` float64 values of one regime; every regime keeps clear of NaN and infinity."""
    signs = rng.choice((-1.0, 1.0), count)
    if regime == "plain":
        return rng.choice((1.0, -1.0, 0.5, 2.0, -0.25, 3.0), count)
    if regime == "zeros":
        return np.zeros(count)
    if regime == "wide":
        return signs * rng.uniform(1, 2, count) * np.exp2(rng.integers(-24, 5, count))
    if regime == "tame":
        return signs * rng.uniform(1, 2, count) * np.exp2(rng.integers(-3, 3, count))
    if regime == "wild":
        return signs * rng.uniform(1, 2, count) * np.exp2(rng.integers(-140, 60, count))
    if regime == "near_eps":
        return signs * max(eps, 1e-12) * np.exp2(rng.uniform(-4, 4, count))
    if regime == "sparse":
        return np.where(rng.random(count) < 0.5, 0.0, rng.standard_normal(count))
    return rng.standard_normal(count)


def gradients(regime: str, rng: np.random.Generator, steps: int, count: int, eps: float) -> Array:
    """A gradient for every step. shape=(steps, count)"""
    if regime == "impulse":  # one kick, then silence: what is left is decay and moments
        grads = np.zeros((steps, count))
        grads[0] = elements("normal", rng, count)
        return grads
    if regime == "constant":  # variances vanish, and what subtracts squares of means may round below zero
        return np.repeat(elements("normal", rng, count)[None], steps, axis=0)
    grads = elements(regime, rng, steps * count, eps).reshape(steps, count)
    if regime == "shrinking":  # running maxima must remember the first
        grads *= np.exp2(-np.arange(steps, dtype=np.float64))[:, None]
    return grads


@functools.cache
def _later(steps: int) -> st.SearchStrategy[list[int]]:
    """One or two steps from the second on."""
    return st.lists(st.integers(2, steps), min_size=1, max_size=2, unique=True)


@functools.cache
def some_of(names: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    """One or two of some names."""
    return st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)


@functools.cache
def pairs(steps: int, tensors: int, least: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Up to three steps and tensors without a gradient."""
    each = st.tuples(st.integers(1, steps), st.integers(0, tensors - 1))
    return st.lists(each, min_size=least, max_size=3)


@st.composite
def shapes(draw: st.DrawFn, tensors: int = 3) -> tuple[tuple[int, ...], ...]:
    """The shapes of one to `tensors` tensors: vectors, matrices, four-dimensional, 0-dim and empty ones."""
    found: list[tuple[int, ...]] = []
    for _ in range(draw(whole(1, tensors))):
        size = draw(one_of(SIZES))
        kind = draw(one_of(("vector", "vector", "vector", "matrix", "image", "scalar", "empty")))
        if kind == "matrix":
            found.append((draw(one_of((1, 2, 3, 5))), min(size, 17)))
        elif kind == "image":
            found.append((2, 3, 2, draw(one_of((1, 2, 3)))))
        else:
            found.append({"vector": (size,), "scalar": (), "empty": (0,)}[kind])
    if all(0 in shape for shape in found):
        found.append((1,))  # an optimizer with nothing to do shows nothing
    return tuple(found)


def _regimes(usual: tuple[str, ...], tame: bool, wild: bool) -> tuple[str, ...]:
    return ("plain", "tame") if tame else (*usual, "wild") if wild else usual


@st.composite
def cases(
    draw: st.DrawFn,
    /,
    rule: Rule,
    *,
    steps: int | tuple[int, int] = (1, 20),
    grad: float | str | None = None,
    groups: bool | str = False,
    schedule: bool | str = False,
    absent: bool | str = False,
    layouts: bool = False,
    maximize: bool = False,
    wild: bool = False,
    tame: bool = False,
    tensors: int = 3,
    dyadic: str = "",
    **fixed: Any,
) -> Case:
    """Cases of `rule`.

    `steps`: their number or range. `grad`: None for every regime, a number for a constant value (0: no gradient),
    "constant" for the same gradient at every step, "nonzero" for gradients without zeros, "balanced" for the gradient
    -weight_decay * theta that coupled decay cancels. `groups`, `schedule`,
    `absent`, `layouts`, `maximize`: whether parameter groups, changing options, missing gradients, memory layouts
    and ascent are drawn ("always": in every case). `wild`: magnitudes up to overflow and down to subnormals; `tame`:
    within [1/8, 8]. `dyadic`: names, separated by blanks, of hyperparameters drawn as powers of two. `fixed`:
    hyperparameters held at a value or drawn from a set.
    """
    if unknown := set(fixed) - {s.name for s in rule.hyper}:
        raise ValueError(f"cases(rule {rule.name}): {sorted(unknown)} is not among {[s.name for s in rule.hyper]}")
    strategies: dict[str, st.SearchStrategy[float]] = {}
    for symbol, domain in rule.hyper.items():
        if symbol.name in dyadic.split():
            strategies[symbol.name] = _dyadic(domain)
        elif symbol.name in fixed:
            value = fixed[symbol.name]
            is_set = isinstance(value, sympy.Set)
            strategies[symbol.name] = hyperparameter(symbol.name, value) if is_set else st.just(float(value))
        else:
            strategies[symbol.name] = hyperparameter(symbol.name, domain)

    count = draw(whole(*steps)) if isinstance(steps, tuple) else steps
    found = draw(shapes(tensors=tensors))
    if groups == "always" and len(found) == 1:
        found = (*found, (2,))
    total = sum(math.prod(shape) for shape in found)
    hyper = {name: draw(strategy) for name, strategy in strategies.items()}
    rng = np.random.default_rng(draw(whole(0, 2**32 - 1)))
    eps = hyper.get("eps", 1e-8)

    theta = elements(draw(one_of(_regimes(PARAMETERS, tame or grad == "balanced", wild))), rng, total)
    if isinstance(grad, int | float):
        grads = np.full((count, total), float(grad))
    elif grad == "balanced":
        theta = theta.astype(np.float16).astype(
            np.float64
        )  # few enough bits for weight_decay * theta to be exact in every format
        grads = np.repeat(-hyper["weight_decay"] * theta[None], count, axis=0)
    elif grad == "constant":
        grads = np.repeat(elements(draw(one_of(("plain", "normal", "wide"))), rng, total)[None], count, axis=0)
    elif grad == "nonzero":
        grads = gradients(draw(one_of(("plain", "normal", "wide"))), rng, count, total, eps)
        grads = np.where(grads == 0, 1.0, grads)
    else:
        grads = gradients(draw(one_of(_regimes(GRADIENTS, tame, wild))), rng, count, total, eps)

    free = {n: s for n, s in strategies.items() if n not in fixed and n not in ROUND_STATE}
    split: tuple[Group, ...] = ()
    if groups and len(found) > 1 and (groups == "always" or draw(switch)):
        # Every option differs from the constructor's in every group: an option read from the wrong place shows.
        where = [draw(whole(0, 2)) for _ in found]
        where[0] = 0
        where[-1] = where[-1] or int(groups == "always")
        split = tuple(
            Group(tuple(k for k, w in enumerate(where) if w == number), {n: draw(s) for n, s in free.items()})
            for number in sorted(set(where))
        )
    changes: dict[int, dict[str, float]] = {}
    if schedule and free and count > 1 and (schedule == "always" or draw(switch)):
        for step in draw(_later(count)):
            names = draw(some_of(tuple(sorted(free))))
            changes[step] = {name: draw(free[name]) for name in names}
    missing: frozenset[tuple[int, int]] = frozenset()
    if absent and (absent == "always" or draw(switch)):
        missing = frozenset(draw(pairs(count, len(found), int(absent == "always"))))
    return Case(
        shapes=found,
        theta=theta,
        grads=grads,
        hyper=hyper,
        groups=split,
        schedule=changes,
        absent=missing,
        layout=draw(one_of(LAYOUTS)) if layouts else "contiguous",
        grad_layout=draw(one_of(LAYOUTS)) if layouts else "contiguous",
        maximize=draw(switch) if maximize else False,
    )


ROUND_STATE = frozenset({"initial_accumulator_value"})
"""Options read once, when the optimizer is built: they are per optimizer, and changing them later is not defined."""


ACTING = ("amsgrad", "ams_bound", "amsbound", "centered", "nesterov")
"""Switches of published optimizers that act on every step but the first, whatever else is chosen, or nearly."""

RATES = ("lr", "lr_decay", "beta1", "momentum", "dampening", "weight_decay", "etaplus", "etaminus")
"""Options of published optimizers that change every run of a few steps."""

OF_DECAY = re.compile(r"weight_dec|(^|_)wd(_|$)|^decoupled?(_decay)?$|^(fixed|cautious|stable)_decay$|no_prox")
"""What switches are called that say how weight decay acts."""

IDLE = "no value of {} changed anything in the runs tried"
"""The note on options that do nothing."""


IN_SINGLE = "in float32, so that steps of float64 parameters are no better"
"""What is noted of numbers of the state that have fewer digits than float64 parameters need."""


def idle(notes: Iterable[tuple[str, str]]) -> set[str]:
    """The options that notes on a class say do nothing."""
    before, after = IDLE.split("{}")
    told = [words.removeprefix(before).removesuffix(after) for _, words in notes if words.endswith(after)]
    return {name for names in told for name in names.split(", ")}


COUPLES = "its step couples tensors"
"""Why laws of one tensor say nothing of a class whose parameters move each other."""


def options_of(case: Case) -> tuple[str, ...]:
    """The options and events this case examines: hyperparameters that are on, and structure beyond the plain."""
    found = [name for name, value in case.hyper.items() if value != DEFAULTS_OFF.get(name, math.nan)]
    found += ["groups"] * (len(case.groups) > 1) + ["schedule"] * bool(case.schedule)
    found += ["absent gradients"] * bool(case.absent) + ["maximize"] * case.maximize
    found += [f"layout {case.layout}"] * (case.layout != "contiguous")
    found += [f"gradient layout {case.grad_layout}"] * (case.grad_layout != "contiguous")
    found += ["0-dim tensors"] * (() in case.shapes) + ["empty tensors"] * any(0 in s for s in case.shapes)
    return tuple(found)
