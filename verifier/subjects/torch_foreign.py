"""Any optimizer class as a subject: built from its signature, run through the life of a case."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from verifier.case import Case, Refused, Subject, Trajectory
from verifier.floats import FORMATS, Array, Format
from verifier.rule import Rule
from verifier.subjects.initial import initial_state
from verifier.subjects.torch_generators import drawing, generators, rewound
from verifier.subjects.torch_layouts import place
from verifier.subjects.torch_life import DTYPES, Life
from verifier.subjects.torch_signature import Signature
from verifier.subjects.torch_sorting import as_named, sole
from verifier.subjects.torch_travel import contained

SWITCHED: dict[str, dict[str, bool]] = {
    "forloop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "differentiable": {"differentiable": True, "foreach": False},
}
"""Implementation -> the options that select it, where the class has them."""


def switched(signature: Signature, implementation: str) -> dict[str, bool]:
    """The options that select an implementation, where the class has them; what is on by itself is switched off."""
    known = {"foreach", "fused", "differentiable"} & set(signature.switches)
    off = dict.fromkeys(sorted(known & _on_by_default(signature.build)), False)
    return {**off, **{name: value for name, value in SWITCHED[implementation].items() if name in known}}


@functools.cache
def _on_by_default(build: Any) -> frozenset[str]:
    """The options of a constructor that are True unless they are given."""
    return frozenset(name for name, p in inspect.signature(build).parameters.items() if p.default is True)


COUNTED = ("forloop", "foreach", "fused")
"""The implementations that may count steps in a float32 tensor; the others stand beside one of these, and are held to
its digits."""

MISSPELT = "weight_decya"
"""An option that no optimizer has, and that somebody may well write."""


@dataclass(frozen=True)
class Foreign:
    """One implementation of an optimizer class in one format; `rule` where it claims one."""

    signature: Signature
    format: Format
    implementation: str = "forloop"
    device: str = "cpu"
    tensor_lr: bool = False
    rule: Rule | None = None
    state_names: frozenset[str] = frozenset()  # state that means what the rule's means

    @property
    def dtype(self) -> torch.dtype:
        return DTYPES[self.format.name]

    @property
    def always_closure(self) -> bool:
        """Whether step() cannot be called without a closure."""
        return self.signature.needs_closure

    def tensor(self, values: Array) -> Tensor:
        """`values` rounded once to the format, as a flat tensor on the device."""
        return torch.from_numpy(self.format.round(values)).to(device=self.device, dtype=self.dtype)

    def parameters(self, case: Case) -> list[Tensor]:
        """The case's parameters as leaf tensors, in its layout."""
        flat = self.tensor(case.theta)
        learning = self.implementation != "differentiable"
        made = [place(flat[s], shape, case.layout) for s, shape in zip(case.slices, case.shapes, strict=True)]
        return [torch.nn.Parameter(p) if learning else p for p in made]

    def options(self, hyper: Mapping[str, float]) -> dict[str, Any]:
        """The constructor's arguments for these hyperparameters."""
        found = self.signature.arguments(hyper)
        if self.tensor_lr and "lr" in found:
            found["lr"] = torch.tensor(found["lr"], dtype=torch.float64)
        return found

    def other(self, implementation: str) -> Foreign:
        """The same class in another implementation or format; or given lr as a tensor, or an option there is not."""
        if implementation == "tensor_lr":
            return replace(self, tensor_lr=True)
        if implementation == "misspelt":
            fixed = {**self.signature.fixed, MISSPELT: 0.1}
            return replace(self, signature=replace(self.signature, fixed=fixed))
        if implementation in FORMATS:
            return replace(self, format=FORMATS[implementation])
        if implementation not in self.signature.implementations:
            raise Refused(f"it has no {implementation} implementation")
        return replace(self, implementation=implementation)

    def another(self, hyper: Mapping[str, float]) -> dict[str, float]:
        """The options of another configuration that the constructor takes."""
        return self.signature.another(hyper)

    def recorder(self, case: Case, parameters: Sequence[Tensor]) -> Seen:
        """What collects the rows of a run."""
        return Seen(self, case, parameters)

    def optimizer(self, case: Case, parameters: Sequence[Tensor]) -> Any:
        """The optimizer over the case's groups; a group names only what differs from the constructor's options."""
        signature = self.signature
        plain = self.options(case.hyper)
        groups = []
        for k, group in enumerate(case.all_groups):
            own = self.options(case.hyper_at(0, group))
            differing = {name: value for name, value in own.items() if not _equal(value, plain[name])}
            differing |= {"maximize": True} if f"ascending:{k}" in case.events.get(0, ()) else {}
            groups.append({"params": [parameters[k] for k in group.tensors], **signature.keys, **differing})
        chosen = switched(signature, self.implementation)
        if case.maximize:
            chosen["maximize"] = True
        given: Any = groups
        if sole(signature.first):
            if len(groups) > 1 or len(groups[0]) > 1:
                raise Refused(f"takes {signature.first}, so it has one group")
            given = as_named(signature.first, groups[0]["params"])
        elif len(groups) == 1 and len(groups[0]) == 1:
            given = groups[0]["params"]
        made = signature.build(**{signature.first: given}, **{**plain, **chosen})
        if callable(getattr(made, "train", None)):  # schedule-free optimizers want to be told that training begins
            made.train()
        return made


def _equal(a: Any, b: Any) -> bool:
    return bool(a == b)


class Seen:
    """Rows of observed parameters, and of every state tensor shaped like its parameter (zero before it exists).

    For a subject that claims a rule, only the state its names say is the rule's, and from the rule's initial values.
    """

    def __init__(self, subject: Foreign, case: Case, parameters: Sequence[Tensor]) -> None:
        self._parameters = parameters
        self._subject = subject
        self._sizes = case.sizes
        self._theta: list[Tensor] = []
        self._state: list[dict[str, Tensor | list[Tensor | None]]] = []
        self._other: set[str] = set()  # numbers, flat buffers: they lie like the elements of some parameters alone
        self._coarse = False  # whether state is kept in a format coarser than its parameter's
        self._coded = False  # whether state is kept as codes of a byte
        rule = subject.rule
        self._initial: dict[str, Array] = {}
        if rule is not None and subject.state_names:
            started = initial_state(rule, case, subject.format.round(case.theta))
            self._initial = {n: subject.format.round(v) for n, v in started.items() if n in subject.state_names}

    def row(self, state: Mapping[Tensor, Mapping[str, Any]]) -> None:
        """Adds what can be seen now."""
        self._theta.append(_copied([p.detach() for p in self._parameters]))
        found: dict[str, list[Tensor | None]] = {}
        for k, p in enumerate(self._parameters):
            values = state.get(p, {})
            for name, value in values.items() if isinstance(values, dict) else ():
                if not isinstance(value, Tensor) or value.shape != p.shape or value.is_sparse or value.is_complex():
                    self._other |= {str(name)} if isinstance(value, Tensor) else set()
                    continue
                counts = not value.dim() and value.element_size() >= 4  # one number may be a count
                self._coded |= value.dtype in (torch.uint8, torch.int8) and value.dim() > 0
                if value.dtype != p.dtype and value.is_floating_point() and not counts:
                    self._coarse |= torch.finfo(value.dtype).eps > torch.finfo(p.dtype).eps
                if self._subject.rule is None or name in self._initial:
                    found.setdefault(str(name), [None] * len(self._parameters))[k] = value.detach()
        self._state.append({name: _kept(parts) for name, parts in found.items()})

    def trajectory(self, grads: Array) -> Trajectory:
        """Everything recorded, as float64 arrays."""
        theta = _array(self._theta)
        names = sorted(
            {name for row in self._state for name in row} - self._other
        )  # what the code calls otherwise cannot be read
        state = {}
        lacking = []  # (name, row, tensor): what is not there yet
        for name in names:
            first = self._initial.get(name)
            started = torch.from_numpy(first) if first is not None else torch.zeros(sum(self._sizes), dtype=_WIDE)
            parts = torch.split(started, list(self._sizes))
            rows = []
            for number, row in enumerate(self._state):
                values = row.get(name)
                if not isinstance(values, Tensor):
                    lacking += [(name, number, k) for k in range(len(self._sizes)) if not values or values[k] is None]
                if isinstance(values, list):
                    values = _copied([p if v is None else v for v, p in zip(values, parts, strict=True)])
                rows.append(started if values is None else values)
            state[name] = _array(rows)
        flags = {"coarse_state": self._coarse, "coded_state": self._coded}
        facts: dict[str, tuple[Any, ...]] = {name: (True,) for name, found in flags.items() if found}
        return Trajectory(theta, state, grads, facts={**facts, "lacking_state": tuple(lacking)})


_WIDE = torch.float64


def _kept(parts: list[Tensor | None]) -> Tensor | list[Tensor | None]:
    """A copy of the state of all parameters; where some have none yet, of each that has."""
    whole = [part for part in parts if part is not None]
    return _copied(whole) if len(whole) == len(parts) else [None if p is None else _copied([p]) for p in parts]


def _copied(parts: Sequence[Tensor]) -> Tensor:
    """A copy of the values of `parts`, in order, as one flat tensor, of float64 unless they are of one dtype."""
    if len({(part.dtype, part.device) for part in parts}) > 1:
        parts = [part.to(device="cpu", dtype=_WIDE) for part in parts]
    return torch.cat([part.reshape(-1) for part in parts]) if parts else torch.empty(0, dtype=_WIDE)


def _array(rows: Sequence[Tensor]) -> Array:
    """Flat tensors as the rows of an array."""
    if len({(row.dtype, row.device) for row in rows}) > 1:
        rows = [row.to(device="cpu", dtype=_WIDE) for row in rows]
    found: Array = torch.stack(list(rows)).to(device="cpu", dtype=_WIDE).numpy()
    return found


def run(subject: Foreign, case: Case) -> Trajectory:
    """Runs the case from the same state of torch's random number generator every time, and puts it back.

    Where the class is known to draw numbers, from those of numpy and Python too: who wants a run again seeds all three.
    """
    if not subject.signature.draws:
        return _run(subject, case)
    others = np.random.get_state(), random.getstate()
    np.random.seed(0)
    random.seed(0)
    try:
        return _run(subject, case)
    finally:
        np.random.set_state(others[0])
        random.setstate(others[1])


def _run(subject: Foreign, case: Case) -> Trajectory:
    generator = torch.default_generator  # torch.manual_seed would cost more than the run: it formats its own stack
    before = generator.get_state()
    generator.manual_seed(0)
    rewound(subject.signature.build)
    started = generator.get_state()
    try:
        with contained():
            life = Life(subject, case)
            own = generators(life.optimizer)
            found, drew = drawing(subject.signature.build, life.run)
        moved = rewound(subject.signature.build) or own != generators(life.optimizer) or drew
        if torch.equal(started, generator.get_state()) and not moved:
            return found
        return replace(found, facts={**found.facts, "random": (True,)})
    finally:
        generator.set_state(before)


def subjects(
    signature: Signature,
    *,
    dtypes: Sequence[str] = tuple(FORMATS),
    rule: Rule | None = None,
    state_names: frozenset[str] = frozenset(),
    fixed: Mapping[str, float] | None = None,
) -> list[Subject]:
    """The subjects of a class: implementation x format. With `rule`, they claim it; `fixed` selects it."""
    found = []
    for implementation in signature.implementations:
        for dtype in dtypes:
            one = Foreign(signature, FORMATS[dtype], implementation, rule=rule, state_names=state_names)
            reason = signature.unavailable.get(implementation, "") or signature.unavailable.get(dtype, "")
            reason = reason or signature.unavailable.get(f"{implementation} {dtype}", "")
            found.append(
                Subject(
                    name=signature.target,
                    rule=rule if rule is not None else signature,  # type: ignore[arg-type]  # stands where a rule stands
                    device="cpu",
                    format=one.format,
                    implementation=implementation,
                    path="step",
                    run=functools.partial(_run_fixed, one, dict(fixed or {})),
                    target=signature.target,
                    untestable=reason,
                    counted=implementation in COUNTED,
                    lerps=signature.lerps,
                )
            )
    return found


def _run_fixed(subject: Foreign, fixed: Mapping[str, float], case: Case) -> Trajectory:
    if not fixed and subject.rule is None:
        return run(subject, case)
    return run(subject, case.with_(hyper={**subject.signature.defaults, **case.hyper, **fixed}))
