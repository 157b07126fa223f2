"""The three ways to L2 regularisation, read out of torch's own code and compared for all values.

A penalty lam * sum(theta^2) in the loss, whose gradient autograd computes; the argument weight_decay = 2 * lam; a
parameter group with weight_decay = 2 * lam beside a group without.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from verifier.equality.normal import Status
from verifier.lift import construct, induction, lifted
from verifier.lift.construct import PENALTY, Hyper, Recipe
from verifier.lift.induction import LiftProof
from verifier.lift.lifted import Lift
from verifier.lift.scalars import Trace
from verifier.lift.shadow import prepared

PATHS = ("penalty", "weight_decay", "groups")
LAM = 0.07


def lift_path(
    target: str | Callable[..., Any],
    path: str,
    implementation: str = "forloop",
    *,
    biases: bool = False,
    **options: Any,
) -> Lift:
    """The rule of one path, over lam instead of weight_decay: 'penalty', 'weight_decay' or 'groups'.

    `biases` reads the second group of 'groups', which has no weight decay.
    """
    if path not in PATHS:
        raise ValueError(f"path {path!r} is none of {', '.join(PATHS)}")
    recipe = construct.recipe(target, implementation, **{**options, "weight_decay": 0})
    hypers = (*(h for h in recipe.hypers if h.name != "weight_decay"), Hyper(PENALTY, PENALTY, None, LAM))
    literal = {n: v for n, v in recipe.literal.items() if n != "weight_decay"}
    shapes = (*recipe.shapes, *recipe.shapes) if path == "groups" else recipe.shapes
    recipe = replace(recipe, hypers=hypers, literal=literal, path=path, shapes=shapes, tensor_read=1 if biases else 0)
    return lifted.lift_recipe(recipe, implementation, path)


def prove_paths(
    target: str | Callable[..., Any], implementation: str = "forloop", **options: Any
) -> dict[str, LiftProof]:
    """Whether the three paths are one function, for all values and any number of steps; a run that differs if not.

    'penalty == weight_decay' and 'penalty == groups' compare the loss's penalty with weight_decay = 2 * lam, given to
    the optimizer and to a group; 'biases == no decay' compares a group without weight decay with the optimizer
    without. A comparison one of whose sides could not be lifted is UNDECIDED and says why.
    """
    penalty = lift_path(target, "penalty", implementation, **options)
    plain = lifted.lift(target, implementation, name="no_decay", **{**options, "weight_decay": 0})
    pairs = {
        "penalty == weight_decay": (penalty, lift_path(target, "weight_decay", implementation, **options)),
        "penalty == groups": (penalty, lift_path(target, "groups", implementation, **options)),
        "biases == no decay": (lift_path(target, "groups", implementation, biases=True, **options), plain),
    }
    return {name: _same(one, two) for name, (one, two) in pairs.items()}


_ELSEWHERE, _APART = 1, 0.9372  # numbers that no run of a lift draws


def lift_group(target: str | Callable[..., Any], implementation: str = "forloop", **options: Any) -> Lift:
    """The rule of a parameter in a second group that has every option for itself.

    The constructor and the first group got other numbers, which show in the rule of code that reads an option there.
    Options that are no entries of a group are the same for both.
    """
    recipe = construct.recipe(target, implementation, **options)
    others = {h.name: construct.generic(h, _ELSEWHERE) * _APART for h in recipe.hypers}
    with prepared(Trace(), recipe.modules):
        built = construct.build(recipe, construct.make_parameters(recipe.shapes, 0, recipe.tracked), others)
    build = functools.partial(_two_groups, recipe, others, frozenset(built.param_groups[0]))
    made = replace(recipe, build=build, shapes=(*recipe.shapes, *recipe.shapes), tensor_read=1, path="options")
    return lifted.lift_recipe(made, implementation, "group")


def _two_groups(recipe: Recipe, others: Mapping[str, float], held: frozenset[str], **given: Any) -> Any:
    """An optimizer whose second group has options of its own, once they passed the constructor's checks."""
    parameters = given.pop(recipe.parameters)
    recipe.build(**{recipe.parameters: parameters}, **given)
    own = {n: v for n, v in given.items() if n in held and n not in recipe.fixed}
    groups = [{"params": parameters[:1]}, {"params": parameters[1:], **own}]
    elsewhere = replace(recipe, build=dict, hypers=tuple(h for h in recipe.hypers if h.argument in own))
    keywords = construct.build(elsewhere, (), others)
    return recipe.build(**{**given, **keywords, recipe.parameters: groups})


def _same(one: Lift, two: Lift) -> LiftProof:
    if two.rule is None:
        reason = f"the other path could not be lifted: {two.stopped_by or two.coupled}"
        return LiftProof(one.target, "", Status.UNDECIDED, reason)
    return induction.prove(one, two.rule)
