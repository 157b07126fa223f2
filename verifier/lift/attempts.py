"""What is tried where an optimizer refuses to be built or to step: other numbers, other parameters, more arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from verifier.lift import construct
from verifier.lift.construct import Hyper, Recipe
from verifier.lift.keywords import REQUIRED


def filled(recipe: Recipe) -> Recipe:
    """The same with values for arguments that may be left out and then stop it: lr=None, momentum=0."""
    hypers, fixed, literal = list(recipe.hypers), dict(recipe.fixed), dict(recipe.literal)
    known = {h.argument for h in hypers} | set(fixed)
    for p in construct.arguments(recipe.build):
        left_out = p.default is None or (p.default == 0 and p.name in ("momentum", "max_unorm"))
        if left_out and p.name in REQUIRED and p.name not in known and p.name != "base_optimizer":
            literal.pop(p.name, None)
            construct.argument(recipe.target, p, {p.name: REQUIRED[p.name]}, set(), hypers, fixed, literal)
    return replace(recipe, hypers=tuple(hypers), fixed=fixed, literal=literal)


def pinned(recipe: Recipe, message: str) -> Recipe:
    """The same with the hyperparameters that an error message names left at their defaults."""
    said = re.sub(r"[^a-z0-9]+", " ", message.lower())
    free = [h for h in recipe.hypers if h.default != 0 and h.name not in recipe.tensor]  # a tensor was asked for
    named = {h.argument for h in free if f" {_words(h.name)} " in f" {said} "}
    hypers = tuple(h for h in recipe.hypers if h.argument not in named)
    literal = {h.name: h.default for h in recipe.hypers if h.argument in named}
    return replace(recipe, hypers=hypers, literal={**recipe.literal, **literal})


def _words(name: str) -> str:
    return name.lower().replace("_", " ").strip()


_TWO_DIMENSIONAL = ((2, 3),)


def attempts(recipe: Recipe, refused: Callable[[], str]) -> Iterator[tuple[Recipe, Callable[[Hyper, int], float]]]:
    """Ways to build an optimizer that refuses what it is given, the plainest first; `refused` is its first message.

    Nearly default numbers, parameters of two dimensions, what it names left alone, what was left out given, other
    forms of the parameters. `shapes` that were asked for are kept.
    """
    yield recipe, construct.generic
    yield recipe, construct.near_default
    free = recipe.shapes == Recipe.shapes
    flat = replace(recipe, shapes=_TWO_DIMENSIONAL) if free else recipe
    if free:
        yield flat, construct.generic
        yield flat, construct.near_default
    left = pinned(recipe, refused())
    given = filled(left)
    tried = [recipe, flat]
    for changed in (left, given, replace(given, shapes=flat.shapes)):
        if changed not in tried:
            tried.append(changed)
            yield changed, construct.generic
    for form in ("named", "model", "module list", "flagged"):
        yield replace(flat if form == "flagged" else recipe, form=form), construct.generic
