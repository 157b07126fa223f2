"""How rules are spelt in torch.optim: which class, which fixed options, which option holds which hyperparameter."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping

from verifier.errors import UsageError

CLASSES: dict[str, tuple[str, dict[str, bool]]] = {
    "sgd": ("SGD", {}),
    "sgd_momentum": ("SGD", {}),
    "sgd_nesterov": ("SGD", {"nesterov": True}),
    "adam": ("Adam", {}),
    "adam_amsgrad": ("Adam", {"amsgrad": True}),
    "adamw": ("AdamW", {}),
    "adamw_amsgrad": ("AdamW", {"amsgrad": True}),
    "adamax": ("Adamax", {}),
    "nadam": ("NAdam", {}),
    "nadam_decoupled": ("NAdam", {"decoupled_weight_decay": True}),
    "radam": ("RAdam", {}),
    "radam_decoupled": ("RAdam", {"decoupled_weight_decay": True}),
    "adagrad": ("Adagrad", {}),
    "adadelta": ("Adadelta", {}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop_centered": ("RMSprop", {"centered": True}),
    "rmsprop_momentum": ("RMSprop", {}),
    "rmsprop_centered_momentum": ("RMSprop", {"centered": True}),
    "rprop": ("Rprop", {}),
    "asgd": ("ASGD", {}),
}
"""Rule name -> torch's class and the switches that select the rule."""

PAIRS = {
    "betas": ("beta1", "beta2"),
    "etas": ("etaminus", "etaplus"),
    "step_sizes": ("step_size_min", "step_size_max"),
}
"""torch's option that is a pair of numbers -> the rules' names for the two."""

EAGER_STATE = frozenset({"Adagrad"})
"""Classes that create their state in the constructor, from the options in force there."""


def optimizer_class(rule_name: str) -> tuple[str, dict[str, bool]]:
    """The class that claims a rule, as `torch.optim:Adam`, and the options that select the rule within it."""
    if rule_name not in CLASSES:
        raise UsageError(f"torch.optim has no class for rule {rule_name!r}", given=rule_name, accepted=CLASSES)
    name, fixed = CLASSES[rule_name]
    return f"torch.optim:{name}", dict(fixed)


def rules_of(class_name: str) -> tuple[str, ...]:
    """The names of the rules that the class `torch.optim.<class_name>` claims, under some choice of its options."""
    return tuple(rule for rule, (name, _) in CLASSES.items() if name == class_name)


def options(hyper: Mapping[str, float]) -> dict[str, float | tuple[float, float]]:
    """The same hyperparameters under torch's option names, pairs joined: beta1 and beta2 become betas."""
    found: dict[str, float | tuple[float, float]] = {}
    paired = {part: option for option, parts in PAIRS.items() for part in parts}
    for name, value in hyper.items():
        if name in paired:
            first, second = PAIRS[paired[name]]
            found[paired[name]] = (hyper[first], hyper[second])
        else:
            found[name] = value
    return found


def constructor_options(rule_name: str) -> tuple[str, ...]:
    """The names of all options of the class that claims a rule, `params` apart, in the signature's order."""
    target, _ = optimizer_class(rule_name)
    module, _, name = target.partition(":")
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    return tuple(option for option in parameters if option != "params")
