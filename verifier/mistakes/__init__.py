"""The classic mistakes, as transformations of a rule's lines: each applies to every rule of the shape it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from verifier.edits import Edit
from verifier.mistakes.corrections import betas, corrections, counts, epsilons
from verifier.mistakes.decay import decay_of_coupled, decay_of_decoupled, decay_of_other
from verifier.mistakes.mixtures import slips_of_mixtures, slips_of_order, slips_of_signs
from verifier.mistakes.moments import momenta, moments
from verifier.mistakes.powers import slips_of_powers, slips_of_weights
from verifier.mistakes.scalars import slips_of_scalars
from verifier.mistakes.several import slips_of_bounds, slips_of_differences, slips_of_loops
from verifier.mistakes.slips import (
    slips_of_averages,
    slips_of_corrections,
    slips_of_decay,
    slips_of_eps,
    slips_of_steps,
)
from verifier.mistakes.steps import branches, steps
from verifier.rule import Rule

MISTAKES: tuple[Callable[[Rule], Iterator[Edit]], ...] = (
    decay_of_coupled,
    decay_of_decoupled,
    decay_of_other,
    epsilons,
    corrections,
    counts,
    betas,
    moments,
    momenta,
    steps,
    branches,
    slips_of_decay,
    slips_of_eps,
    slips_of_corrections,
    slips_of_averages,
    slips_of_steps,
    slips_of_mixtures,
    slips_of_order,
    slips_of_signs,
    slips_of_bounds,
    slips_of_loops,
    slips_of_differences,
    slips_of_powers,
    slips_of_weights,
    slips_of_scalars,
)

__all__ = [
    "MISTAKES",
    "betas",
    "branches",
    "corrections",
    "counts",
    "decay_of_coupled",
    "decay_of_decoupled",
    "decay_of_other",
    "epsilons",
    "momenta",
    "moments",
    "slips_of_averages",
    "slips_of_bounds",
    "slips_of_corrections",
    "slips_of_decay",
    "slips_of_differences",
    "slips_of_eps",
    "slips_of_loops",
    "slips_of_mixtures",
    "slips_of_order",
    "slips_of_powers",
    "slips_of_scalars",
    "slips_of_signs",
    "slips_of_steps",
    "slips_of_weights",
    "steps",
]
