"""Single numbers that an optimizer keeps, as they are after every step: what steps are counted in is among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from verifier.case import Case
from verifier.subjects.torch_foreign import Foreign
from verifier.subjects.torch_life import Life

Numbers = dict[tuple[str, str], float]
"""(name, whose it is) -> value"""


class Counting(Life):
    """A life of which only the numbers that are kept are looked at."""

    def _inspect(self) -> None:
        self.facts["numbers"].append(kept(self.optimizer, self.parameters))


def counted(subject: Foreign, case: Case) -> Sequence[Numbers]:
    """The numbers that are kept after each step of the case."""
    before = torch.default_generator.get_state()
    try:
        told: Sequence[Numbers] = Counting(subject, case.with_(events={0: ("inspect",)})).run().facts["numbers"]
        return told
    finally:
        torch.default_generator.set_state(before)


def kept(optimizer: Any, parameters: Sequence[Tensor]) -> Numbers:
    """The single numbers in an optimizer's state and in its groups."""
    places = {id(p): k for k, p in enumerate(parameters)}
    state = getattr(optimizer, "state", {})
    holders = {
        f"tensor {places[id(p)]}": values
        for p, values in (state.items() if isinstance(state, Mapping) else ())
        if id(p) in places and isinstance(values, Mapping)
    }
    holders |= {f"group {k}": group for k, group in enumerate(getattr(optimizer, "param_groups", ()))}
    return {
        (str(name), whose): float(value)
        for whose, values in holders.items()
        for name, value in values.items()
        if _single(value)
    }


def _single(value: Any) -> bool:
    """Whether it is one real number, in a tensor of no dimension or not."""
    if isinstance(value, Tensor):
        return value.dim() == 0 and not value.is_complex() and value.dtype is not torch.bool
    return isinstance(value, int | float) and not isinstance(value, bool)
