"""torch.optim as subjects: every implementation, in every format, on every device."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from verifier.case import Case, Group, Subject, Trajectory
from verifier.errors import UsageError
from verifier.floats import FORMATS, FP32, FP64, Array, Format
from verifier.rule import shared
from verifier.rules import get
from verifier.subjects.initial import initial_state
from verifier.subjects.torch_layouts import LAYOUTS, place
from verifier.subjects.torch_life import Life
from verifier.subjects.torch_options import EAGER_STATE, optimizer_class, options

__all__ = ["DEVICES", "DTYPES", "IMPLEMENTATIONS", "LAYOUTS", "Torch", "optimizer_class", "subjects"]

DTYPES: dict[str, torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

IMPLEMENTATIONS: dict[str, dict[str, bool]] = {
    "forloop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "differentiable": {"differentiable": True, "foreach": False},
}
"""Implementation -> the constructor options that select it."""

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Torch:
    """One implementation of one rule in torch.optim: what `run` needs to know. `tensor_lr` passes lr as a tensor."""

    rule_name: str
    device: str
    format: Format
    implementation: str
    tensor_lr: bool = False

    @property
    def dtype(self) -> torch.dtype:
        return DTYPES[self.format.name]

    def tensor(self, values: Array) -> Tensor:
        """`values` rounded once to the format, as a flat tensor on the device."""
        exact = torch.from_numpy(self.format.round(values))  # first: torch's own conversion rounds twice, via float
        return exact.to(device=self.device, dtype=self.dtype)

    def parameters(self, case: Case) -> list[Tensor]:
        """The case's parameters as leaf tensors, in its layout. One a tensor of the case."""
        flat = self.tensor(case.theta)
        learning = self.implementation != "differentiable"  # there, in-place steps forbid leaves that require grad
        return [
            place(flat[where], shape, case.layout).requires_grad_(learning)
            for where, shape in zip(case.slices, case.shapes, strict=True)
        ]

    def options(self, hyper: Mapping[str, float]) -> dict[str, Any]:
        """The options of a group, by torch's names."""
        named: dict[str, Any] = dict(options(hyper))
        if self.tensor_lr:
            named["lr"] = torch.tensor(named["lr"], dtype=torch.float64)
        return named

    def other(self, implementation: str) -> Torch:
        """The same optimizer in another implementation; "tensor_lr": the same one, given lr as a tensor."""
        if implementation == "tensor_lr":
            return replace(self, tensor_lr=True)
        return replace(self, implementation=implementation)

    def another(self, hyper: Mapping[str, float]) -> dict[str, float]:
        """Hyperparameters that the rule admits and that differ from `hyper` throughout."""
        from verifier.strategies import alternatives

        domains = {symbol.name: domain for symbol, domain in get(self.rule_name).hyper.items()}
        return {name: alternatives(name, domains[name], value)[0] for name, value in hyper.items()}

    def recorder(self, case: Case, parameters: Sequence[Tensor]) -> Recorder:
        """What collects the rows of a run."""
        return Recorder(self, case, parameters)

    def optimizer(self, case: Case, parameters: Sequence[Tensor], **override: float) -> torch.optim.Optimizer:
        """The optimizer over the case's groups; a group names only what differs from the constructor's options."""
        target, fixed = optimizer_class(self.rule_name)
        plain = self.options({**case.hyper, **override})
        groups = []
        for group in case.all_groups:
            own = self.options({**case.hyper_at(0, group), **override})
            differing = {name: value for name, value in own.items() if value != plain[name]}
            groups.append({"params": [parameters[k] for k in group.tensors], **differing})
        selected = IMPLEMENTATIONS[self.implementation]
        made: torch.optim.Optimizer = _class(target)(groups, **plain, **fixed, **selected, maximize=case.maximize)
        return made


@functools.cache
def _class(target: str) -> Callable[..., torch.optim.Optimizer]:
    module, _, name = target.partition(":")
    found: Callable[..., torch.optim.Optimizer] = getattr(importlib.import_module(module), name)
    return found


@functools.cache
def warm_up(device: str) -> None:
    """Calls sqrt once at each dtype and size class: the first call of the CPU build's library may race and be wrong."""
    for dtype in DTYPES.values():
        for size in (1, 64, 65537):
            torch.ones(size, dtype=dtype, device=device).sqrt()


class Recorder:
    """Rows of observed parameters and state, one a step; state a tensor has not yet been given is the rule's."""

    def __init__(self, subject: Torch, case: Case, parameters: Sequence[Tensor]) -> None:
        rule = get(subject.rule_name)
        names = [symbol.name for symbol in rule.state]
        self._shared = {symbol.name for symbol in shared(rule)}
        self._parameters = parameters
        self._sizes = case.sizes
        self._theta: list[Tensor] = []
        self._state: dict[str, list[Tensor]] = {name: [] for name in names}
        eager = optimizer_class(subject.rule_name)[0].partition(":")[2] in EAGER_STATE
        starting = initial_state(rule, case, subject.format.round(case.theta), at_construction=eager)
        self._initial = {}
        for name in names:
            # scalar state lives in 0-dim tensors of torch's default dtype, whatever the parameter's
            kept = FP64 if torch.get_default_dtype() == torch.float64 else FP32
            values = (kept if name in self._shared else subject.format).round(starting[name])
            self._initial[name] = [torch.from_numpy(values[where]) for where in case.slices]

    def row(self, state: Mapping[Tensor, Mapping[str, Any]]) -> None:
        """Adds what can be seen now: the parameters, and the optimizer's `state`."""
        self._theta.append(_flat([p.detach() for p in self._parameters]))
        for name, rows in self._state.items():
            parts: list[Tensor] = []
            for k, p in enumerate(self._parameters):
                value = state[p].get(name) if p in state else None
                if value is None:
                    parts.append(self._initial[name][k])
                elif name in self._shared:
                    parts.append(torch.as_tensor(value, dtype=torch.float64, device="cpu").expand(self._sizes[k]))
                else:
                    parts.append(value.detach())
            rows.append(_flat(parts))

    def trajectory(self, grads: Array) -> Trajectory:
        """Everything recorded, as float64 arrays. grads has shape=(steps, elements)."""
        return Trajectory(_array(self._theta), {name: _array(rows) for name, rows in self._state.items()}, grads)


def _flat(parts: Sequence[Tensor]) -> Tensor:
    """A copy of the values of `parts`, in order, as one flat tensor."""
    if len(parts) == 1:
        return parts[0].reshape(-1).clone()
    if len({part.dtype for part in parts}) > 1 or len({part.device for part in parts}) > 1:
        parts = [part.to(device="cpu", dtype=torch.float64) for part in parts]
    return torch.cat([part.reshape(-1) for part in parts]) if parts else torch.empty(0)


def _array(rows: Sequence[Tensor]) -> Array:
    if len({row.dtype for row in rows}) > 1:
        rows = [row.to(device="cpu", dtype=torch.float64) for row in rows]
    found: Array = torch.stack(list(rows)).to(device="cpu", dtype=torch.float64).numpy()
    return found


def set_options(subject: Torch, case: Case, step: int, groups: Iterable[tuple[dict[str, Any], Group]]) -> None:
    """Changes, before `step`, the options of the optimizer's groups that the case schedules for it."""
    if step not in case.schedule:
        return
    for live, group in groups:
        wanted = subject.options(case.hyper_at(step, group))
        changed = subject.options({**case.hyper_at(step - 1, group)})
        live.update({name: value for name, value in wanted.items() if value != changed[name]})


def run(subject: Torch, case: Case) -> Trajectory:
    """Runs the case: gradients are assigned to `.grad`, one `step()` each, everything readable recorded."""
    warm_up(subject.device)
    return Life(subject, case).run()


def subjects(
    rule_name: str,
    device: str = "cpu",
    *,
    dtypes: Iterable[str] = tuple(DTYPES),
    implementations: Iterable[str] = tuple(IMPLEMENTATIONS),
    tensor_lr: bool = False,
) -> list[Subject]:
    """The subjects of torch.optim that claim a rule: implementation x dtype x device, path `step`.

    `device` is cpu, cuda or all; a device that is not there gives subjects with a reason in `untestable`, never
    fewer subjects. An implementation that torch does not offer for the optimizer (fused, for most) has no subject.
    """
    target, _ = optimizer_class(rule_name)
    rule = get(rule_name)
    accepted = inspect.signature(_class(target)).parameters
    found = []
    for where in devices(device):
        for implementation in implementations:
            if any(option not in accepted for option in IMPLEMENTATIONS[implementation]):
                continue
            for dtype in dtypes:
                one = Torch(rule_name, where, FORMATS[dtype], implementation, tensor_lr)
                found.append(
                    Subject(
                        name=target.replace(":", "."),
                        rule=rule,
                        device=where,
                        format=one.format,
                        implementation=implementation + ("_tensor_lr" if tensor_lr else ""),
                        path="step",
                        run=functools.partial(run, one),
                        target=target,
                        untestable=missing(where),
                    )
                )
    return found


def devices(device: str) -> tuple[str, ...]:
    """The devices a choice names: one of them, or all."""
    if device == "all":
        return DEVICES
    if device not in DEVICES:
        raise UsageError(f"there is no device {device!r}", given=device, accepted=(*DEVICES, "all"))
    return (device,)


@functools.cache
def missing(device: str) -> str:
    """Why nothing can run on `device` here; empty where it can."""
    if device == "cuda" and not torch.cuda.is_available():
        return "no CUDA device"
    return ""


def same_values(first: Trajectory, second: Trajectory) -> bool:
    """Whether two trajectories hold the same bits throughout, NaNs alike."""
    pairs = [(first.theta, second.theta)] + [(first.state[name], second.state[name]) for name in first.state]
    return all(np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a), np.signbit(b)) for a, b in pairs)
