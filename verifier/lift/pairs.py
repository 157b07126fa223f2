"""Complex tensors as pairs of reals: operations that act on real and imaginary parts alike, done on the parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from verifier.lift.memory import Memory, Unreadable
from verifier.lift.ops import base_name

_LINEAR = frozenset({"add", "sub", "neg", "positive", "clone", "copy", "zero", "lerp"})
_SCALED = frozenset({"mul", "div"})  # by a real number
_MADE = frozenset({"zeros_like", "empty_like", "new_zeros", "new_empty", "empty_strided", "zeros", "empty"})


def by_parts(
    handler: Callable[[Memory, Any, Any, Any], Any], memory: Memory, func: Any, args: Any, kwargs: dict[str, Any]
) -> Any:
    """Runs an op on the parts of its complex tensors, which share their memory; Unreadable where it mixes parts."""
    name = base_name(func)[0].removeprefix("_foreach_")
    if name in _MADE:
        return handler(memory, func, args, kwargs)
    if name in ("full_like", "new_full"):
        value = complex(args[2 if name == "new_full" else 1])
        out = func(*args, **kwargs)
        memory.write(out, np.array([memory.trace.lookup(part) for part in (value.real, value.imag)], dtype=object))
        return out
    if name not in _LINEAR | _SCALED:
        raise Unreadable("complex numbers")
    if name in _SCALED and sum(map(_holds_complex, args)) > 1:
        raise Unreadable("a product of complex numbers")
    plain = [a for a in args[1:2] if not _holds_complex(a) and not isinstance(a, dict)]
    if name in ("add", "sub", "copy", "lerp") and plain:
        raise Unreadable("a real number added to complex ones")
    out = handler(memory, func, [_parts(a) for a in args], {k: _parts(v) for k, v in kwargs.items()})
    if func._schema.name.endswith("_"):
        return args[0] if out is not None else None
    return _whole(out)


def _holds_complex(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_complex, value))
    return isinstance(value, complex) or (isinstance(value, torch.Tensor) and value.is_complex())


def _parts(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_parts(v) for v in value]
    if isinstance(value, complex):
        raise Unreadable("a complex number")
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_complex():
        return torch.view_as_real(value.detach())
    return value.unsqueeze(-1) if value.dim() else value


def _whole(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_whole(v) for v in value]
    return torch.view_as_complex(value)
