"""Which subjects a property is run on: the implementations that claim its rule, or the mistakes that must fail."""

from __future__ import annotations

import functools
from dataclasses import replace

from verifier.case import Subject
from verifier.floats import FORMATS
from verifier.rule import Rule

SMOKE_FORMATS = ("float32",)
SMOKE_IMPLEMENTATIONS = ("forloop", "foreach", "fused")


@functools.cache
def of(rule: Rule, device: str, *, smoke: bool = False) -> list[Subject]:
    """Every implementation of `rule` in every format on `device` ("cpu", "cuda" or "all"); for `smoke`, the main ones.

    A device that is absent gives subjects that say so; they are counted as untestable, never left out.
    """
    from verifier.subjects.torch import subjects

    found = subjects(rule.name, device=device)
    if not smoke:
        return found
    return [s for s in found if s.format.name in SMOKE_FORMATS and s.implementation in SMOKE_IMPLEMENTATIONS]


@functools.cache
def mutants(rule: Rule) -> list[Subject]:
    """Every known mistake of `rule`, as a subject that claims the rule and computes the mistake, in every format."""
    from verifier.mutants import mutants as mistakes
    from verifier.subjects.reference import reference

    return [
        replace(reference(wrong, fmt), rule=rule, implementation=wrong.name.partition("__")[2] or wrong.name)
        for wrong in mistakes(rule)
        for fmt in FORMATS.values()
    ]


def along(subject: Subject, path: str) -> Subject | None:
    """The same subject taking its gradients from autograd on one of the three paths; None where it has no paths.

    Paths: "penalty" (lam * sum(p**2) in the loss), "weight_decay" (weight_decay = 2 * lam), "groups" (the same, with
    every tensor in a group of its own).
    """
    from verifier.subjects.torch_paths import with_path

    learns = subject.implementation != "differentiable"  # its in-place step forbids parameters that require grad
    return with_path(subject, path) if learns and subject.target.startswith("torch.optim:") else None


def unexamined(rule: Rule, *, smoke: bool = False) -> dict[str, str]:
    """What of an optimizer's options and forms no subject of this lineup examines -> why; counted in every report."""
    from verifier.subjects.torch import IMPLEMENTATIONS
    from verifier.subjects.torch_options import constructor_options, optimizer_class, options

    selecting = {name for chosen in IMPLEMENTATIONS.values() for name in chosen}
    drawn = {*options({symbol.name: 0.5 for symbol in rule.hyper}), *optimizer_class(rule.name)[1], "maximize"}
    found = {
        name: REASONS.get(name, "no case draws it; `verifier audit` does")
        for name in constructor_options(rule.name)
        if name not in drawn | selecting
    }
    found["compiled"] = "torch.compile needs a compiler and minutes an optimizer"
    if smoke:
        for fmt in FORMATS:
            if fmt not in SMOKE_FORMATS:
                found[f"dtype {fmt}"] = "the smoke profile runs float32 alone"
        found["differentiable"] = "left out of the smoke profile"
    return found


REASONS = {
    "capturable": "accepted on CUDA and other accelerators only",
    "amsgrad": "a rule of its own",
    "nesterov": "a rule of its own",
    "centered": "a rule of its own",
    "momentum": "a rule of its own",
    "dampening": "must be 0 here",
    "decoupled_weight_decay": "a rule of its own",
}
