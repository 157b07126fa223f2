"""Whether a step divides by infinity."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Dividing(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its modes untyped
    """Looks at all divisors; `infinite` says whether one was infinite."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.infinite = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        by = args[_place(func._schema.name) :][:1]
        for one in by[0] if by and isinstance(by[0], list | tuple) else by:
            self.infinite |= isinstance(one, torch.Tensor) and bool(one.isinf().any())
        return func(*args, **(kwargs or {}))


def _place(name: str) -> int:
    """Where an operation takes its divisor; past the end if it takes none."""
    if "addcdiv" in name:
        return 2
    return 1 if "div" in name else 9
