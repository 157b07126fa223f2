"""More wrong optimizers: what shows in copies, files, formats and threads, and in options that are taken or refused."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.optimizers import KeepsRate, KeepsStateElsewhere, Right


class StillInFloat32(Right):
    """Single numbers stand still, in float32 alone."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) * (0 if p.dim() == 0 and p.dtype is torch.float32 else 1)


class LosesFarElements(Right):
    """Elements from the 65536th on are stepped half as far."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        if grad.numel() > 65536:
            grad = grad.clone()
            grad.view(-1)[65536:] *= 0.5
        return grad


class CountsThreads(Right):
    """The rate is shared among the threads there are."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, group, state) / (torch.get_num_threads() if p.numel() > 65536 else 1)


class Box:
    """A tensor in a box that forgets it when the box is copied or pickled."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __reduce__(self) -> Any:
        return Box, (None,)


class KeepsInBox(Right):
    """The momentum is in a box, which no copy of a state_dict carries."""

    def load_state_dict(self, state_dict: Any) -> None:
        Optimizer.load_state_dict(self, state_dict)

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        state["momentum"] = state["box"].held if state and state["box"].held is not None else torch.zeros_like(p)
        state.setdefault("step", 0)
        super().one(p, group)
        state["box"] = Box(state.pop("momentum"))


class StoresElsewhereInForeach(Right):
    """The foreach implementation, told by the option it was built with, calls the momentum by another name."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, foreach: bool | None = None) -> None:
        super().__init__(params, lr=lr, momentum=momentum, foreach=foreach)
        self.by = "momentums" if foreach else "momentum_"

    def one(self, p: Any, group: Any) -> None:
        state, name = self.state[p], self.by
        state["momentum"] = state.pop(name, None) if name in state else torch.zeros_like(p)
        state.setdefault("step", 0)
        super().one(p, group)
        state[name] = state.pop("momentum")


class KeepsDouble(Right):
    """A sum is kept in double, and loaded in the parameter's format."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        state["sum"] = state.get("sum", torch.zeros_like(p, dtype=torch.float64)) + 0.1
        return super().rate(p, group, state)


class KeepsById(Right):
    """The momentum of a parameter is found by its id, which a copy has not."""

    def one(self, p: Any, group: Any) -> None:
        held = self.__dict__.setdefault("held", {})
        if self.state[p]:
            self.state[p]["momentum"] = held.setdefault(id(p), torch.zeros_like(p))
        super().one(p, group)
        held[id(p)] = self.state[p]["momentum"]

    def __setstate__(self, state: Any) -> None:
        super().__setstate__({**state, "held": {}})


class IgnoresFoundInf(Right):
    """It says that it takes found_inf, and steps all the same."""

    _step_supports_amp_scaling = True


class TakesFoundInf(Right):
    """It says that it takes found_inf, and does: right."""

    _step_supports_amp_scaling = True

    def step(self, closure: Any = None) -> Any:
        found = getattr(self, "found_inf", None)
        return None if found is not None and found.item() else super().step(closure)


class Unscales(TakesFoundInf):
    """Gradients are divided by grad_scale: right."""

    def gradient(self, p: Any, group: Any) -> Any:
        scale = getattr(self, "grad_scale", None)
        if scale is None:
            return super().gradient(p, group)
        grad = p.grad / scale
        return (-grad if group["maximize"] else grad).add(p, alpha=group["weight_decay"])


class ScalesUp(TakesFoundInf):
    """Gradients are multiplied by grad_scale, where they should be divided by it."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = p.grad * getattr(self, "grad_scale", 1)
        return (-grad if group["maximize"] else grad).add(p, alpha=group["weight_decay"])


class KeepsUnwrittenState(TakesFoundInf):
    """A step that is skipped leaves momentum behind that was allocated and never written."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                if not self.state[p] and getattr(self, "found_inf", None) is not None:
                    self.state[p] = {"step": 0, "momentum": torch.empty_like(p)}
        return super().step(closure)


class HalvesImaginary(Right):
    """The imaginary part of a gradient counts half: of complex parameters, which torch.view_as_real would treat."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return torch.complex(grad.real, grad.imag / 2) if grad.is_complex() else grad


class TakesComplex(Right):
    """Complex parameters are pairs of reals, as torch.view_as_real says: right."""


class OverwritesDuplicates(Right):
    """Of a sparse gradient (is_sparse) with duplicate entries the last is taken, and not the sum."""

    def gradient(self, p: Any, group: Any) -> Any:
        if p.grad.is_sparse:
            dense = torch.zeros_like(p)
            dense[p.grad._indices()[0]] = p.grad._values()
            p.grad = dense
        return super().gradient(p, group)


class IgnoresTensorRate(Right):
    """An lr that is a tensor is taken, and the default used."""

    def __init__(self, params: Any, lr: float | torch.Tensor = 0.1, **options: Any) -> None:
        super().__init__(params, lr=0.3 if isinstance(lr, torch.Tensor) else lr, **options)


class AscendsSilently(Right):
    """lr is not checked, though the other options are."""

    def __init__(
        self, params: Any, lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 0.0, maximize: bool = False
    ) -> None:
        super().__init__(params, abs(lr), momentum, weight_decay, maximize=maximize)
        for group in self.param_groups:
            group["lr"] = lr


class SwallowsOptions(Right):
    """Options that do not exist are swallowed."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, **others: Any) -> None:
        super().__init__(params, lr=lr, momentum=momentum)


class DecaysLate(torch.optim.AdamW):
    """The weight decay of AdamW, twice from the third step on."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and self.state[p] and self.state[p]["step"] >= 2:
                    p.mul_(1 - group["lr"] * (group["weight_decay"] + 0.5))
        return super().step(closure)


class MovesWrongly(torch.optim.AdamW):
    """AdamW that doubles the second moment when it is loaded into float64."""

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        for p, state in self.state.items():
            if p.dtype is torch.float64:
                state["exp_avg_sq"] = state["exp_avg_sq"] * 2


class DecaysByConstant(Right):
    """The decay is a constant, and not times the parameter."""

    def gradient(self, p: Any, group: Any) -> Any:
        return (-p.grad if group["maximize"] else p.grad) + group["weight_decay"]


class DecaysBackwards(Right):
    """The decay has the wrong sign."""

    def gradient(self, p: Any, group: Any) -> Any:
        return (-p.grad if group["maximize"] else p.grad).sub(p, alpha=group["weight_decay"])


class KeepsFirstRate(Right):
    """The lr of the first step is kept in the state, for good."""

    def rate(self, p: Any, group: Any, state: Any) -> float:
        return super().rate(p, {**group, "lr": state.setdefault("lr", group["lr"])}, state)


class ReadsFirstPart(Right):
    """Gradients are divided by their norm, which is that of the first sixteen elements."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return grad / (1 + grad.reshape(-1)[:16].norm())


class BeginsAlike(Right):
    """Momentum begins with the constructor's value, whatever a group says."""

    def __init__(self, params: Any, lr: float = 0.1, initial_accumulator_value: float = 0.0) -> None:
        super().__init__(params, lr=lr)
        self.defaults["initial_accumulator_value"] = initial_accumulator_value
        for group in self.param_groups:
            group.setdefault("initial_accumulator_value", initial_accumulator_value)

    def one(self, p: Any, group: Any) -> None:
        if not self.state[p]:
            self.state[p] = {"step": 0, "momentum": torch.full_like(p, self.defaults["initial_accumulator_value"])}
        super().one(p, group)


class MakesItsBufferAtFirst(Right):
    """A second momentum has its buffer from the first step on, if it is used there, and never later."""

    def __init__(self, params: Any, lr: float = 0.1, nudge: float = 0.0) -> None:
        super().__init__(params, lr=lr)
        self.defaults["nudge"] = nudge
        for group in self.param_groups:
            group.setdefault("nudge", nudge)

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        state = self.state[p]
        if state["step"] == 1 and group["nudge"]:
            state["nudges"] = torch.zeros_like(p)
        if group["nudge"]:
            p.add_(state["nudges"].add_(p.grad), alpha=-group["lr"] * group["nudge"])


class DividesByItsGradient(Right):
    """The gradient is divided by its size, without an eps: 0/0 where it is zero."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = p.grad / p.grad.abs()
        return (-grad if group["maximize"] else grad).add(p, alpha=group["weight_decay"])


class CountsInEnvironment(Right):
    """Steps are counted where every process that is started from here on reads them."""

    def step(self, closure: Any = None) -> Any:
        os.environ["OPTIMIZER_STEPS"] = str(int(os.environ.get("OPTIMIZER_STEPS", "0")) + 1)
        return super().step(closure)


REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (StillInFloat32, "all_parameters"),
    (StillInFloat32, "partition"),
    (LosesFarElements, "large_sizes"),
    (CountsThreads, "threads"),
    (KeepsInBox, "resume_from_file"),
    (KeepsInBox, "resume_from_pickle"),
    (KeepsInBox, "resume_from_copy"),
    (StoresElsewhereInForeach, "resume_across"),
    (KeepsDouble, "state_dtypes"),
    (KeepsById, "copying"),
    (KeepsById, "pickling"),
    (KeepsStateElsewhere, "resume_from_file"),
    (KeepsRate, "options_read"),
    (IgnoresFoundInf, "skipped_step"),
    (HalvesImaginary, "complex_numbers"),
    (OverwritesDuplicates, "sparse_gradients"),
    (IgnoresTensorRate, "tensor_lr"),
    (KeepsFirstRate, "scheduled_lr"),
    (ReadsFirstPart, "whole_tensors"),
    (AscendsSilently, "bad_options"),
    (SwallowsOptions, "misspelt_option"),
    (DecaysByConstant, "decay_toward_zero"),
    (DecaysBackwards, "decay_toward_zero"),
    (MakesItsBufferAtFirst, "switched_on"),
    (DividesByItsGradient, "stays_finite"),
    (KeepsUnwrittenState, "skipped_first_step"),
    (ScalesUp, "scaled_gradients"),
    (BeginsAlike, "starting_options"),
    (CountsInEnvironment, "surroundings"),
)
"""Each mistake, and a contract that must reject it."""
