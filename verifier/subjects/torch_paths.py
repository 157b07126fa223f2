"""The three ways to an L2 penalty in torch: in the loss, as weight_decay, and as weight_decay of parameter groups."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verifier.case import Case, Group, Subject, Trajectory
from verifier.errors import UsageError
from verifier.floats import FORMATS, Array
from verifier.rule import Rule
from verifier.rules import get
from verifier.rules.symbols import g, theta, weight_decay
from verifier.subjects.torch import (
    DTYPES,
    Recorder,
    Torch,
    set_options,
    subjects,
    warm_up,
)
from verifier.subjects.torch_layouts import place

PATHS = ("penalty", "weight_decay", "groups")


def is_coupled(rule: Rule) -> bool:
    """Whether the rule adds weight_decay * theta to the gradient before anything else reads it."""
    _, value = rule.step[0]
    return bool(value == g + weight_decay * theta)


def path_subjects(
    rule_name: str,
    device: str = "cpu",
    *,
    dtypes: Iterable[str] = tuple(DTYPES),
    implementations: Iterable[str] = ("forloop", "foreach", "fused"),
    paths: Iterable[str] = PATHS,
) -> list[Subject]:
    """The subjects of a coupled rule that take their gradients from autograd, one a path; none for other rules.

    With lam = weight_decay / 2, group by group:
    penalty: loss = sum(p * g) + lam * sum(p**2) is back-propagated and the optimizer has weight_decay 0;
    weight_decay: loss = sum(p * g), and the optimizer has weight_decay = 2 * lam, in the groups of the case;
    groups: the same, with every tensor in a group of its own and a constructor that decays nothing.
    The gradients in the trajectory are those left in `.grad`: the penalty path's hold the penalty's.
    """
    if not is_coupled(get(rule_name)):
        return []
    wanted = tuple(paths)
    for path in wanted:
        if path not in PATHS:
            raise UsageError(f"there is no path {path!r}", given=path, accepted=PATHS)
    plain = subjects(rule_name, device, dtypes=dtypes, implementations=implementations)
    return [with_path(subject, path) for subject in plain for path in wanted]


def with_path(subject: Subject, path: str) -> Subject:
    """The subject that differs from a torch subject in its path alone."""
    one = Torch(subject.rule.name, subject.device, FORMATS[subject.format.name], subject.implementation)
    return replace(subject, path=path, run=functools.partial(run_path, one, path))


def alone(case: Case) -> Case:
    """The same case with every tensor in a group of its own, which spells its weight_decay out."""
    owner = {k: group for group in case.all_groups for k in group.tensors}
    groups = tuple(
        Group((k,), {**owner[k].hyper, weight_decay.name: case.hyper_at(0, owner[k])[weight_decay.name]})
        for k in range(len(case.shapes))
    )
    return case.with_(groups=groups, hyper={**case.hyper, weight_decay.name: 0.0})


def run_path(subject: Torch, path: str, case: Case) -> Trajectory:
    """Runs the case with gradients from `backward()`, so that the data gradient is exactly the case's."""
    warm_up(subject.device)
    lived = alone(case) if path == "groups" else case
    parameters = subject.parameters(lived)
    off = {weight_decay.name: 0.0} if path == "penalty" else {}
    # The penalty path's decay stays off whatever is scheduled; all its other options follow the case.
    optimizer = subject.optimizer(_without_decay(lived) if off else lived, parameters)
    owner = {k: group for group in lived.all_groups for k in group.tensors}
    recorder = Recorder(subject, case, parameters)
    recorder.row(optimizer.state)
    flat = subject.tensor(case.grads)
    seen = np.zeros((case.steps, len(case.theta)))
    for step in range(1, case.steps + 1):
        scheduled = _without_decay(lived) if off else lived
        set_options(subject, scheduled, step, zip(optimizer.param_groups, scheduled.all_groups, strict=True))
        lams = [lived.hyper_at(step, owner[k])[weight_decay.name] / 2 for k in range(len(parameters))]
        present = [k for k in range(len(parameters)) if (step, k) not in case.absent]
        data = {k: place(flat[step - 1, case.slices[k]], case.shapes[k], case.grad_layout) for k in present}
        optimizer.zero_grad()
        for k in present:
            loss = (parameters[k] * data[k]).sum()
            if path == "penalty":
                loss = _penalised(loss, parameters[k], lams[k], case.maximize)
            loss.backward()  # type: ignore[no-untyped-call]
            seen[step - 1, case.slices[k]] = _values(parameters[k].grad)
        optimizer.step()
        recorder.row(optimizer.state)
    return recorder.trajectory(seen)


def _without_decay(case: Case) -> Case:
    """The same case with weight_decay 0 everywhere."""
    off = {weight_decay.name: 0.0}

    def cleared(changes: dict[str, float]) -> dict[str, float]:
        return {**changes, **off} if weight_decay.name in changes else changes

    return case.with_(
        hyper={**case.hyper, **off},
        groups=tuple(Group(group.tensors, cleared(dict(group.hyper))) for group in case.groups),
        schedule={step: cleared(dict(changes)) for step, changes in case.schedule.items()},
    )


def _penalised(loss: Tensor, p: Tensor, lam: float, maximize: bool) -> Tensor:
    """`loss` with lam * sum(p**2): added where loss is minimised, subtracted where it is maximised."""
    penalty = lam * p.pow(2).sum()
    return loss - penalty if maximize else loss + penalty


def _values(grad: Tensor | None) -> Array:
    assert grad is not None  # backward() has just filled it
    values: Array = grad.detach().reshape(-1).to(device="cpu", dtype=torch.float64).numpy()
    return values
