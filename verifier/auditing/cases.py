"""What a case of an optimizer without a rule may be: its options, in combinations its constructor takes."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verifier.case import Case, Group
from verifier.strategies import (
    DEFAULTS_OFF,
    GRADIENTS,
    LAYOUTS,
    PARAMETERS,
    ROUND_STATE,
    SIZES,
    elements,
    gradients,
    one_of,
    pairs,
    some_of,
    switch,
    whole,
)

ALWAYS = frozenset({"lr", "weight_decay", "wd"})
"""Options that may be switched on or off between steps; others change their value only while they are on."""

FADING = 64.0
"""What gradients are divided by each step to fade: its square is above 1000, so averages under a beta of 0.999 fall."""


@st.composite
def shapes(draw: st.DrawFn, signature: Any, tensors: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of one to `tensors` tensors, of as many dimensions as the optimizer takes."""
    found = []
    for _ in range(draw(whole(1, tensors))):
        size = draw(one_of(SIZES))
        kinds = (
            "vector",
            "vector",
            "matrix",
            "tall",
            "image",
            "scalar",
            *(("empty",) if signature.takes_empty else ()),
        )
        kind = draw(one_of(kinds))
        made = {
            "vector": (size,),
            "matrix": (3, min(size, 17)),
            "tall": (min(size, 17), 3),
            "image": (2, 3, 2, 2),
            "scalar": (),
            "empty": (0,),
        }[kind]
        if not signature.least_dimensions <= len(made) <= signature.most_dimensions:
            made = (3, min(size, 17))
        found.append(made)
    if all(0 in shape for shape in found):
        found.append((1,) if signature.least_dimensions <= 1 else (3, 2))
    return tuple(found)


@st.composite
def cases(
    draw: st.DrawFn,
    signature: Any,
    *,
    steps: int | tuple[int, int] = (1, 20),
    groups: bool | str = False,
    schedule: bool | str = False,
    absent: bool | str = False,
    layouts: bool = False,
    maximize: bool = False,
    tensors: int = 3,
    dyadic: str = "",
) -> Case:
    """Cases of the class with this signature; the arguments are those of `strategies.cases`."""
    count = draw(whole(*steps)) if isinstance(steps, tuple) else steps
    found = draw(shapes(signature, tensors))
    if groups == "always" and len(found) == 1:
        found = (*found, (3, 2) if signature.least_dimensions > 1 else (2,))
    total = sum(math.prod(shape) for shape in found)
    combinations = _configurations(signature)
    hyper = dict(draw(combinations))
    for name in dyadic.split():
        if name in hyper:
            hyper[name] = draw(one_of((0.5, 0.25, 0.125)))
    rng = np.random.default_rng(draw(whole(0, 2**32 - 1)))
    eps = hyper.get("eps", 1e-8)
    theta = elements(draw(one_of(PARAMETERS)), rng, total)
    grads = gradients(draw(one_of(GRADIENTS)), rng, count, total, eps)

    split: tuple[Group, ...] = ()
    free = sorted(signature.group_options)
    if groups and free and len(found) > 1 and (groups == "always" or draw(switch)):
        where = [0, *(draw(whole(0, 2)) for _ in found[1:])]
        where[-1] = where[-1] or int(groups == "always")
        made = []
        for number in sorted(set(where)):
            other = draw(combinations)
            own = {name: other[name] for name in free}
            made.append(Group(tuple(k for k, w in enumerate(where) if w == number), own))
        split = tuple(made)
    changes: dict[int, dict[str, float]] = {}
    if schedule and free and count > 1 and (schedule == "always" or draw(switch)):
        step, other = draw(whole(2, count)), draw(combinations)
        names = draw(some_of(tuple(free)))
        used = [hyper, *(group.hyper for group in split)]
        changes[step] = {n: other[n] for n in names if _may_change(signature, n, other[n], [u[n] for u in used])}
    missing: frozenset[tuple[int, int]] = frozenset()
    if absent and (absent == "always" or draw(switch)):
        missing = frozenset(draw(pairs(count, len(found), int(absent == "always"))))
    return Case(
        shapes=found,
        theta=theta,
        grads=grads,
        hyper=hyper,
        groups=split,
        schedule={step: table for step, table in changes.items() if table},
        absent=missing,
        layout=draw(one_of(LAYOUTS)) if layouts else "contiguous",
        grad_layout=draw(one_of(LAYOUTS)) if layouts else "contiguous",
        maximize=signature.can_maximize and draw(switch) if maximize else False,
    )


@functools.cache
def _configurations(signature: Any) -> st.SearchStrategy[Any]:
    """Combinations of options that the constructor takes; one strategy a signature, as building one is costly."""
    return st.sampled_from(signature.configurations)


def plain(signature: Any, *, steps: int | tuple[int, int] = (1, 20), **_: Any) -> list[Case]:
    """A case for each of the signature's plain configurations, of two tensors: tried besides those that are drawn.

    Gradients of every other element fade so fast that any average of their squares falls: running maxima must show.
    The first of each tensor has none in the second step, when it has moved.
    """
    rng = np.random.default_rng(0)
    shapes = [s for s in ((7,), (3, 2)) if signature.least_dimensions <= len(s) <= signature.most_dimensions]
    total = sum(math.prod(shape) for shape in shapes)
    count = steps[1] if isinstance(steps, tuple) else steps
    theta, grads = elements("normal", rng, total), gradients("normal", rng, min(count, 4), total, 1e-8)
    grads[:, 1::2] *= FADING ** -np.arange(len(grads), dtype=np.float64)[:, None]
    grads[1:2, [0, math.prod(shapes[0])][: len(shapes)] if shapes else []] = 0.0
    return [Case(tuple(shapes), theta, grads, dict(hyper)) for hyper in signature.plain] if shapes else []


FULLY = ("purity", "own_state", "maximize")
"""Contracts asked with every option on, too: all are where no rule can be read."""


def always(signature: Any, law: str, *, readable: bool, **arguments: Any) -> list[Case]:
    """The cases that a contract is asked of besides those that are drawn."""
    if law == "large_sizes":  # one alone: that with everything on
        return [case.with_(grads=case.grads[:2]) for case in full(signature)]
    found = plain(signature, **arguments)
    found += full(signature) if law in FULLY or not readable else []
    # what is kept may be the gradient itself, where nothing is added to it
    return found + (alone(signature) if law == "own_state" else [])


def full(signature: Any) -> list[Case]:
    """A case, if any, of the configuration with fewest zeros, where all that options scale is there; default betas.

    Default betas are slow ones, under which it shows for long which step it is.
    """
    if not signature.configurations:
        return []
    switches = [o.name for o in signature.options if o.kind != "float"]
    start = min(
        (signature.defaults, *signature.configurations),
        key=lambda c: (sum(v == 0 for n, v in c.items() if n not in switches), [c[n] for n in switches]),
    )
    slow = {o.name: o.default for o in signature.options if o.name.startswith("beta") and o.default}
    return plain(replace(signature, plain=({**start, **slow},)), steps=4)


def alone(signature: Any) -> list[Case]:
    """A case for each option that is a number and off by default: on, with nothing else, as momentum without decay."""
    values = {o.name: [v for v in o.values if v] for o in signature.options if o.kind == "float" and o.default == 0}
    found = tuple({**signature.defaults, name: some[0]} for name, some in values.items() if some)
    known = tuple(hyper for hyper in found if hyper not in signature.plain)
    return plain(replace(signature, plain=known), steps=4)


def rescheduled(signature: Any) -> list[Case]:
    """A case for each option of a group that a schedule may change: changed in the middle, and nothing else with it."""
    found = []
    for case in full(signature):
        for name in sorted(signature.group_options):
            values = [v for v in signature.option(name).values if v and v != case.hyper[name]]
            if values and _may_change(signature, name, values[0], [case.hyper[name]]):
                found.append(case.with_(schedule={3: {name: values[0]}}))
    return found


def as_vectors(case: Case) -> Case:
    """The case with every tensor a vector: for a rule of vectors, where matrices are treated otherwise."""
    return case.with_(shapes=tuple((size,) for size in case.sizes), layout="contiguous", grad_layout="contiguous")


def _may_change(signature: Any, name: str, value: float, current: list[float]) -> bool:
    """Whether an option may become `value` between steps: numbers may; what creates state is not switched on or off."""
    if signature.option(name).kind != "float" or name in ROUND_STATE:
        return False
    return name in ALWAYS or (value != 0 and 0 not in current)


def examined(signature: Any, case: Case) -> tuple[str, ...]:
    """The options that a case moves away from their defaults."""
    off = {**signature.defaults, **DEFAULTS_OFF}
    return tuple(name for name, value in case.hyper.items() if value != off.get(name))
