"""The inputs of a run, and the thing under test that runs them."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verifier.floats import Array, Format
from verifier.rule import Rule


class Refused(Exception):
    """A subject says that it does not take this case: its constructor or step raised an error of its own making.

    Not a failure: a documented limit. What makes an error the subject's own is decided where it is caught.
    """


@dataclass(frozen=True, eq=False)
class Group:
    """A parameter group: which tensors it holds, and the hyperparameters that differ from the case's own."""

    tensors: tuple[int, ...]
    hyper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Case:
    """Everything an optimizer is given: parameters, a gradient per step, hyperparameters, groups, events.

    Values are float64 and flat: element n of `theta` belongs to the tensor whose slice of the flat order holds n.
    A subject of a narrower format rounds them to it before use, so one case serves every format.
    """

    shapes: tuple[tuple[int, ...], ...]
    theta: Array  # shape=(elements,)
    grads: Array  # shape=(steps, elements)
    hyper: Mapping[str, float]  # by the rule's symbol name
    groups: tuple[Group, ...] = ()  # empty: one group with every tensor
    schedule: Mapping[int, Mapping[str, float]] = field(default_factory=dict)  # step -> options that change before it
    absent: frozenset[tuple[int, int]] = frozenset()  # (step, tensor) whose .grad is None
    layout: str = "contiguous"  # of parameters; see subjects.torch.LAYOUTS
    grad_layout: str = "contiguous"
    maximize: bool = False
    events: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # step -> what happens before it

    def __post_init__(self) -> None:
        elements = sum(self.sizes)
        if self.theta.shape != (elements,):
            raise ValueError(f"theta has shape {self.theta.shape}, but shapes {self.shapes} hold {elements} elements")
        if self.grads.ndim != 2 or self.grads.shape[1] != elements:
            raise ValueError(f"grads has shape {self.grads.shape}, but should be (steps, {elements})")

    @property
    def steps(self) -> int:
        return len(self.grads)

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        """Elements of each tensor."""
        return tuple(math.prod(shape) for shape in self.shapes)

    @functools.cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each tensor lies in the flat order."""
        ends = tuple(itertools.accumulate(self.sizes, initial=0))
        return tuple(slice(a, b) for a, b in itertools.pairwise(ends))

    @property
    def all_groups(self) -> tuple[Group, ...]:
        """The groups, with the default single group spelt out."""
        return self.groups or (Group(tuple(range(len(self.shapes)))),)

    def hyper_at(self, step: int, group: Group) -> dict[str, float]:
        """The hyperparameters in force for `group` at `step` (from 1): its own options, then scheduled changes."""
        now = {**self.hyper, **group.hyper}
        for k in sorted(self.schedule):
            if k <= step:
                now.update(self.schedule[k])
        return now

    def elements_of(self, group: Group) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The flat indices that belong to `group`, in flat order. shape=(elements of the group,)"""
        slices = self.slices
        parts = [np.arange(slices[k].start, slices[k].stop) for k in sorted(group.tensors)]
        return np.concatenate(parts) if parts else np.arange(0)

    def with_(self, **changes: Any) -> Case:
        """This case with some fields replaced: the follow-up of a metamorphic law."""
        return replace(self, **changes)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis prints it, as it does for every explicit example: thousands of elements help nobody."""
        printer.text(f"<Case {list(self.shapes)}, {self.steps} steps, {dict(self.hyper)}>")

    def to_json(self) -> dict[str, Any]:
        """The case as plain data; floats as hexadecimal strings, so that reading them back loses no bit."""
        return {
            "shapes": [list(s) for s in self.shapes],
            "theta": [float(x).hex() for x in self.theta],
            "grads": [[float(x).hex() for x in row] for row in self.grads],
            "hyper": {k: float(v).hex() for k, v in self.hyper.items()},
            "groups": [
                {"tensors": list(g.tensors), "hyper": {k: float(v).hex() for k, v in g.hyper.items()}}
                for g in self.groups
            ],
            "schedule": {str(k): {n: float(v).hex() for n, v in c.items()} for k, c in self.schedule.items()},
            "absent": sorted(list(pair) for pair in self.absent),
            "layout": self.layout,
            "grad_layout": self.grad_layout,
            "maximize": self.maximize,
            "events": {str(k): list(names) for k, names in self.events.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Case:
        """The case that `to_json` wrote."""

        def values(table: Mapping[str, str]) -> dict[str, float]:
            return {k: float.fromhex(v) for k, v in table.items()}

        elements = len(data["theta"])
        grads = [[float.fromhex(x) for x in row] for row in data["grads"]]
        return cls(
            shapes=tuple(tuple(s) for s in data["shapes"]),
            theta=np.array([float.fromhex(x) for x in data["theta"]], dtype=np.float64),
            grads=np.array(grads, dtype=np.float64).reshape(len(grads), elements),
            hyper=values(data["hyper"]),
            groups=tuple(Group(tuple(g["tensors"]), values(g["hyper"])) for g in data["groups"]),
            schedule={int(k): values(v) for k, v in data["schedule"].items()},
            absent=frozenset((int(a), int(b)) for a, b in data["absent"]),
            layout=data["layout"],
            grad_layout=data["grad_layout"],
            maximize=bool(data["maximize"]),
            events={int(k): tuple(names) for k, names in data.get("events", {}).items()},
        )


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What a run showed: parameters and readable state before the first step (row 0) and after each step."""

    theta: Array  # shape=(steps + 1, elements), values of the subject's format
    state: Mapping[str, Array] = field(default_factory=dict)  # rule's state name -> shape=(steps + 1, elements)
    grads: Array | None = None  # shape=(steps, elements): the gradients the optimizer really read
    grads_after: Array | None = None  # shape=(steps, elements): what .grad held once the step had returned
    facts: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # what else was seen, one entry a sighting

    def __getitem__(self, step: int) -> Array:
        """theta after `step` steps. shape=(elements,)"""
        row: Array = self.theta[step]
        return row


@dataclass(frozen=True, eq=False)
class Subject:
    """An implementation that claims a rule, on one device, in one format, by one code path.

    `run` takes a case to the trajectory it produces. `untestable` is empty, or says why it cannot run here. `counted`:
    it may count its steps in a float32 tensor, and compute in float32 what depends on their number. `lerps`: it may
    form an average by lerp from the new value to the old, with 1 less a rounded weight.
    """

    name: str
    rule: Rule
    device: str
    format: Format
    implementation: str  # forloop, foreach, fused, reference, ...
    path: str  # step, penalty, weight_decay, groups
    run: Callable[[Case], Trajectory]
    target: str = ""  # pkg.mod:Class
    untestable: str = ""
    counted: bool = False
    lerps: bool = False

    @property
    def id(self) -> str:
        """The part of an evidence id after the @: device, dtype, implementation, and the path unless it is plain."""
        parts = [self.device, self.format.name, self.implementation]
        return "-".join(parts if self.path == "step" else [*parts, self.path])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis prints it, as it does for every explicit example: a rule would fill pages."""
        printer.text(f"<Subject {self.name} {self.id}>")
