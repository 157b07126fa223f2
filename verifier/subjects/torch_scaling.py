"""Steps under a gradient scaler: `grad_scale` and `found_inf` as torch.amp.GradScaler sets them before a step.

Only optimizers that say so (`_step_supports_amp_scaling`) are told; of others the scaler unscales the gradients.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from verifier.case import Refused


def scale_of(names: Sequence[str]) -> float | None:
    """What the gradients of a run are multiplied by; None where no event says that they are scaled."""
    found = next((name for name in names if name.startswith("scaled:")), "")
    return float(found.partition(":")[2]) if found else None


def refuses(optimizer: Any) -> None:
    """Raises `Refused` where a gradient scaler would not set the two attributes."""
    if not getattr(optimizer, "_step_supports_amp_scaling", False):
        raise Refused("the implementation takes no found_inf; a gradient scaler leaves its step out")
    if "grad_scaler" in inspect.signature(optimizer.step).parameters:
        raise Refused("its step takes the gradient scaler itself")


@contextmanager
def announced(optimizer: Any, scale: float | None, *, found: bool) -> Iterator[None]:
    """The two attributes are there: scalar float32 tensors; no `grad_scale` where gradients were unscaled before."""
    device = optimizer.param_groups[0]["params"][0].device
    number = {"dtype": torch.float32, "device": device}
    optimizer.grad_scale = None if scale is None else torch.tensor(scale, **number)
    optimizer.found_inf = torch.tensor(float(found), **number)
    try:
        yield
    finally:
        for name in ("grad_scale", "found_inf"):
            vars(optimizer).pop(name, None)
