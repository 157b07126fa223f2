"""Hyperparameters that go by other names than those of the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy

from verifier.conventions import REVERSED
from verifier.lift.lifted import Lift
from verifier.rule import Rule, t

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "lr": ("learning_rate", "eta", "alpha", "step_size", "stepsize"),
    "beta1": ("b1", "beta_1", "beta", "mu", "momentum"),
    "beta2": ("b2", "beta_2", "rho"),
    "eps": ("epsilon", "delta"),
    "weight_decay": ("wd", "l2", "decay", "lam", "lambda_", "l2_reg", "weight_decay_rate"),
    "momentum": ("mu", "beta", "mom", "momentum_decay_rate"),
    "alpha": ("rho", "decay_rate", "beta", "decay", "smoothing"),
    "rho": ("decay_rate", "alpha", "beta"),
    "lr_decay": ("learning_rate_decay",),
    "momentum_decay": ("schedule_decay", "psi"),
}
"""Other names in use for the hyperparameters of rules."""


def renamed(lifted: Lift, rule: Rule) -> tuple[Lift, bool]:
    """The lift with the rule's names for options that go by others, and whether there are any.

    An option of a second rule in a class, such as the adamw_lr of Muon, ends in the usual name.
    """
    assert lifted.rule is not None
    mine, theirs = {s.name: s for s in lifted.rule.hyper}, [s.name for s in rule.hyper]
    usual: dict[str, str] = {}
    taken = {s.name for s in (lifted.rule.theta, lifted.rule.grad, t, *lifted.rule.state)}
    taken |= {target.name for target, _ in lifted.rule.step}
    for name in (n for n in theirs if n not in mine and n not in taken):
        own = [n for n in mine if n not in theirs and n not in usual]
        short = {"weight_decay": "wd"}.get(name, name)
        fits = [n for n in own if n in SYNONYMS.get(name, ()) or n.endswith((f"_{name}", f"_{short}"))]
        if name == "weight_decay":  # what of an average is kept is nothing that weights lose
            fits = [n for n in fits if lifted.hyper.get(n, 0.0) < REVERSED]
        if len(fits) == 1:
            usual[fits[0]] = name
    if not usual:
        return lifted, False
    to = {mine[n]: sympy.Symbol(name, real=True) for n, name in usual.items()}
    new = replace(
        lifted.rule,
        hyper={to.get(s, s): values for s, values in lifted.rule.hyper.items()},
        state={s: sympy.sympify(e).xreplace(to) for s, e in lifted.rule.state.items()},
        step=tuple((x, sympy.sympify(e).xreplace(to)) for x, e in lifted.rule.step),
    )
    conditions = tuple(c.xreplace(to) for c in lifted.path_conditions)
    hyper = {usual.get(n, n): value for n, value in lifted.hyper.items() if n in usual or n not in usual.values()}
    return replace(lifted, rule=new, hyper=hyper, path_conditions=conditions), True
