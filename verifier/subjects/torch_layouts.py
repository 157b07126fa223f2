"""Memory layouts a parameter or gradient can have; a correct optimizer does not care which."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def like(old: Tensor, new: Tensor) -> Tensor:
    """The new values as the same kind of tensor: a parameter of a model, or a tensor that learns or does not."""
    kind = torch.nn.Parameter if isinstance(old, torch.nn.Parameter) else Tensor.requires_grad_
    return kind(new, old.requires_grad)


def _contiguous(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    return values.clone().view(shape)


def _offset(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Dense, but starting one element into its storage, which vector loads must not mind."""
    storage = values.new_empty(values.numel() + 1)
    return storage[1:].view(shape).copy_(values.view(shape))


def _transposed(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The last two dimensions swapped in memory."""
    if len(shape) < 2:
        return _contiguous(values, shape)
    return values.view(shape).transpose(-1, -2).clone(memory_format=torch.contiguous_format).transpose(-1, -2)


def _sliced(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Every second element of a storage twice as large; the elements between hold NaN, which nobody may read."""
    storage = values.new_full((*shape, 2), torch.nan)
    return storage.select(-1, 1).copy_(values.view(shape))


def _channels_last(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The channel dimension innermost in memory, for 4 and 5 dimensions; contiguous for others."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    dense = _contiguous(values, shape)
    return dense.contiguous(memory_format=formats[len(shape)]) if len(shape) in formats else dense


LAYOUTS: dict[str, Callable[[Tensor, tuple[int, ...]], Tensor]] = {
    "contiguous": _contiguous,
    "offset": _offset,
    "transposed": _transposed,
    "sliced": _sliced,
    "channels_last": _channels_last,
}
"""Layout name -> function from flat values and a shape to a fresh tensor of that shape and layout."""


def place(values: Tensor, shape: tuple[int, ...], layout: str) -> Tensor:
    """A fresh tensor of `shape` in `layout` holding `values` (flat, row-major order); shares no memory with it."""
    return LAYOUTS[layout](values, shape)


def has_graph(tensor: Tensor) -> bool:
    """Whether a tensor came out of a computation that autograd remembers.

    Of a view that was made without a graph, and whose base was changed since, torch refuses to say; it has none.
    """
    try:
        return tensor.grad_fn is not None
    except RuntimeError:
        return False
