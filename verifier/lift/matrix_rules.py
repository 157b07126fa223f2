"""Rules over whole tensors, as published: the declared side where a step reads norms, means or products of matrices.

Each is one way of writing each line of its family; the other ways, and the mistakes, are in the family alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from verifier.lift.matrix_adafactor import MATRICES, VECTORS
from verifier.lift.matrix_lamb import LAMB
from verifier.lift.matrix_lars import LARS
from verifier.lift.matrix_muon import MUON
from verifier.lift.matrix_numbers import Array, Number
from verifier.lift.matrix_search import Family, Line, Way

Shape = tuple[int, ...]


@dataclass(frozen=True)
class MatrixRule:
    """A published step over a whole tensor: a family, and of each slot the way that is named, else its first.

    `documented` says whose documentation has it so, where that is not the paper alone.
    """

    family: Family
    ways: Mapping[str, str] = field(default_factory=dict)
    documented: str = ""
    dimensions: tuple[int, ...] = (1, 2)

    @property
    def name(self) -> str:
        return self.family.rule

    @property
    def cite(self) -> str:
        """The paper, and who documents it so."""
        return f"{self.family.cite}{f', {self.documented}' if self.documented else ''}"

    @property
    def chosen(self) -> dict[str, Way]:
        """Of each slot, how it is written."""
        return {
            slot.name: next(way for way in slot.ways if way.name == self.ways.get(slot.name, slot.ways[0].name))
            for slot in self.family.slots
        }

    @property
    def state(self) -> dict[str, Callable[[Shape], Shape]]:
        """The state variables: the shape that each has beside a parameter of a given shape. They start at zero."""
        kept = [slot.name for slot in self.family.slots if slot.state and not self.chosen[slot.name].stateless]
        return {name: self.family.shaped.get(name, lambda shape: shape) for name in kept}

    def step(self, theta: Array, g: Array, state: Mapping[str, Array], hyper: Mapping[str, Any], t: Number) -> Line:
        """One step: every line by its name, and theta after it. Absent where a hyperparameter is missing."""
        line = Line(exact=True, options={}, theta=theta, g=g, t=t, was=Line(state))
        for name, others in self.family.names.items():
            mine = next((n for n in (name, *others) if n in hyper), None)
            if mine is not None:
                line[name] = hyper[mine]
            elif name in self.family.defaults:
                line[name] = line.constant(self.family.defaults[name])
            elif name == "weight_decay":  # code without the option decays nothing
                line[name] = line.constant(0)
        for name, way in self.chosen.items():
            line[name] = way.value(line)
        line["theta"] = line[self.family.slots[-1].name]
        return line


_TORCH = {"fresh": "power", "divided": "above", "scale": "parameter", "rate": "bounded"}
RULES = (
    MatrixRule(VECTORS, _TORCH, "as torch.optim.Adafactor documents it", (1,)),
    MatrixRule(MATRICES, {**_TORCH, "estimate": "factored_above"}, "as torch.optim.Adafactor documents it", (2,)),
    MatrixRule(MUON, {"buf": "average", "unit": "above_eps"}, "as torch.optim.Muon documents it", (2,)),
    MatrixRule(LAMB),
    MatrixRule(LARS, {"scaled": "by_lr", "new": "plain"}),
)
"""What a lift that reads whole tensors is compared with."""
