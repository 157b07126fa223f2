"""Other roundings of what torch computes in formats of 16 bits."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

NARROW = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}
"""Formats of 16 bits, and by what share a value and its neighbour differ, at least."""


class Nudging(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its modes untyped
    """Moves each result of 16 bits up, down or not at all, at random; `count` says how many there were."""

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0
        self._draw = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, list | tuple) else (out,):
            if isinstance(one, torch.Tensor) and one.dtype in NARROW and not _is_view(func):
                self.count += 1
                ways = torch.randint(-1, 2, one.shape, generator=self._draw)
                one.copy_(one.float() * (1 + ways * NARROW[one.dtype]))
        return out


def _is_view(func: Any) -> bool:
    """Whether what an operation returns is memory it was given, as it was."""
    schema = func._schema
    return not schema.is_mutable and any(r.alias_info is not None for r in schema.returns)
