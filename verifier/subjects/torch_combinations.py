"""Combinations of an optimizer's options that cases are drawn from."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence

from verifier.subjects.torch_signature import Option

CONFIGURATIONS = 24
"""Combinations of options that cases are drawn from, besides those in which one switch is turned."""

AWAY = {"switch": 0.0}
"""How often an option of some kind is surely moved away from its default, if not 4 times in 5: switches are drawn."""


def covering(
    defaults: Mapping[str, float], options: Sequence[Option], taken: Callable[[Mapping[str, float]], bool]
) -> list[dict[str, float]]:
    """Combinations chosen so that pairs of values not yet seen together come first, and the defaults last.

    Searches begin with the first and shrink towards it: the defaults would hide most mistakes.
    """
    free = [o for o in options if len(o.values) > 1]
    draw = random.Random(0)
    seen: set[tuple[tuple[str, float], tuple[str, float]]] = set()
    found: list[dict[str, float]] = []
    if not free:
        return [dict(defaults)]
    for _ in range(6 * CONFIGURATIONS):
        if len(found) >= CONFIGURATIONS:
            break
        candidates: list[dict[str, float]] = []
        for _ in range(12):
            away = {o.name: draw.choice(o.values[draw.random() < AWAY.get(o.kind, 0.8) :]) for o in free}
            candidates.append({**defaults, **away})
        candidates.sort(key=lambda c: -len(_pairs(c) - seen))
        best = next((c for c in candidates[:6] if taken(c)), None)
        if best is not None and best not in found:
            seen |= _pairs(best)
            found.append(best)
    for option in [o for o in free if o.kind == "switch"]:
        found = [*_turned(defaults, option, free, taken, draw), *found]
    return [*found, dict(defaults)]


def _turned(
    defaults: Mapping[str, float],
    switch: Option,
    options: Sequence[Option],
    taken: Callable[[Mapping[str, float]], bool],
    draw: random.Random,
) -> list[dict[str, float]]:
    """A few combinations in which one switch is turned, which is what many of its combinations do not allow."""
    found: list[dict[str, float]] = []
    for _ in range(40):
        away = {o.name: draw.choice(o.values[1:] if draw.random() < 0.5 else o.values[:1]) for o in options}
        made = {**defaults, **away, switch.name: switch.values[1]}
        if made not in found and taken(made):
            found.append(made)
        if len(found) == 4:
            break
    return found


def _pairs(configuration: Mapping[str, float]) -> set[tuple[tuple[str, float], tuple[str, float]]]:
    return set(itertools.combinations(sorted(configuration.items()), 2))
