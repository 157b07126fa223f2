"""Shadow memory: beside each storage an array of expressions, one an element.

Tensors are read and written through their own offset, shape and strides, so views and in-place operations need no
care: they share memory here as they do in torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.scalars import Trace

Nodes = NDArray[np.object_]
"""Expressions of a tensor's elements, in the tensor's shape."""


class Memory:
    """The shadow of every storage met while a trace runs."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._shadows: dict[int, tuple[Any, int, Nodes]] = {}  # storage -> (kept alive, itemsize, expressions)
        self.births: dict[int, Nodes] = {}  # what the storage held when it was first met or written

    def _shadow(self, tensor: torch.Tensor) -> Nodes:
        storage = tensor.untyped_storage()
        key = storage._cdata
        found = self._shadows.get(key)
        itemsize = _itemsize(tensor)
        if found is not None:
            if found[1] != itemsize:
                raise Unreadable(f"memory of {found[1]}-byte elements read as {tensor.dtype}")
            if len(found[2]) * itemsize < storage.nbytes():  # the storage was resized
                grown = self._constants(tensor)
                grown[: len(found[2])] = found[2]
                found = (storage, itemsize, grown)
                self._shadows[key] = found
            return found[2]
        shadow = self._constants(tensor)
        self._shadows[key] = (storage, itemsize, shadow)
        self.births[key] = shadow.copy()
        return shadow

    def _constants(self, tensor: torch.Tensor) -> Nodes:
        """The expressions of memory nobody has written under this trace: table entries or constants."""
        if tensor.is_sparse:
            raise Unreadable(f"{tensor.dtype} {tensor.layout} memory")
        storage = tensor.untyped_storage()
        whole = torch.empty(0, dtype=tensor.dtype.to_real() if tensor.is_complex() else tensor.dtype).set_(storage)
        shadow = np.empty(whole.numel(), dtype=object)
        single = tensor.dtype == torch.float32
        for k, value in enumerate(whole.tolist()):
            shadow[k] = (
                (expr.TRUE if value else expr.FALSE) if value is True or value is False
                else self.trace.lookup(value, single)
            )  # fmt: skip
        return shadow

    def read(self, tensor: torch.Tensor) -> Nodes:
        """The expressions of a tensor's elements, as a writable view of the shadow. shape=tensor.shape

        Of complex numbers the real and the imaginary part, in a last dimension of their own.
        """
        if tensor.is_conj() or tensor.is_neg():
            raise Unreadable("a conjugate that is not written out")
        flat = self._shadow(tensor)
        if tensor.is_complex():
            tensor = torch.view_as_real(tensor.detach())
        offset = tensor.storage_offset()
        count = tensor.numel()
        if tensor.is_contiguous():
            return flat[offset : offset + count].reshape(tensor.shape)
        width = flat.itemsize
        return as_strided(flat[offset:], tuple(tensor.shape), tuple(s * width for s in tensor.stride()))

    def write(self, tensor: torch.Tensor, nodes: Any) -> None:
        """Sets the expressions of a tensor's elements; `nodes` broadcasts to its shape."""
        key = tensor.untyped_storage()._cdata
        if key not in self._shadows:
            count = tensor.untyped_storage().nbytes() // max(_itemsize(tensor), 1)
            shadow: Nodes = np.full(count, expr.NAN, dtype=object)
            self._shadows[key] = (tensor.untyped_storage(), _itemsize(tensor), shadow)
            self.read(tensor)[...] = nodes
            self.births[key] = shadow.copy()
        else:
            self.read(tensor)[...] = nodes

    def holds_wider(self, tensor: torch.Tensor) -> bool:
        """Whether the tensor reads memory byte by byte that is known in wider elements."""
        found = self._shadows.get(tensor.untyped_storage()._cdata)
        return found is not None and found[1] > _itemsize(tensor)

    def copy_storage(self, target: torch.Tensor, source: torch.Tensor) -> None:
        """Makes the whole memory of `target` hold what that of `source` holds."""
        _, itemsize, nodes = self._shadows[source.untyped_storage()._cdata]
        storage = target.untyped_storage()
        self._shadows[storage._cdata] = (storage, itemsize, nodes.copy())
        self.births[storage._cdata] = nodes.copy()

    def birth(self, tensor: torch.Tensor) -> Nodes | None:
        """What the tensor's storage held when it was first met or written. shape=(elements of the storage,)"""
        return self.births.get(tensor.untyped_storage()._cdata)

    def set_symbol(self, tensor: torch.Tensor, name: str, index: int) -> None:
        """Names a tensor's elements `name[index, k]`, counted in the tensor's own order."""
        view = self.read(tensor)
        for k, position in enumerate(np.ndindex(view.shape)):
            view[position] = expr.sym(name, (index, k))

    def item(self, tensor: torch.Tensor) -> Node:
        """The expression of a one-element tensor."""
        return self.read(tensor).reshape(-1)[0]  # type: ignore[no-any-return]


def _itemsize(tensor: torch.Tensor) -> int:
    """Bytes of one real number of a tensor."""
    return tensor.element_size() // (2 if tensor.is_complex() else 1)


class Unreadable(Exception):
    """Memory or an operation that has no real-valued expression here; says what."""


Handler = Callable[["Memory", Any, tuple[Any, ...], dict[str, Any]], Any]


def is_view(func: Any) -> bool:
    """Whether an op only makes another tensor of the same memory: nothing to do, the shadow is shared too."""
    schema = func._schema
    returns = [r.alias_info for r in schema.returns]
    return bool(returns) and all(r is not None and not r.is_write for r in returns)


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in an op's argument or result, lists unpacked."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for x in value:
            yield from tensors_of(x)
