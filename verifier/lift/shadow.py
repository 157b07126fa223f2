"""Shadow memory: beside each storage an array of expressions, one an element, kept true op by op.

Tensors are read and written through their own offset, shape and strides, so views and in-place operations need no
care: they share memory here as they do in torch.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.ranges import ranges
from verifier.lift.scalars import Trace, call_site, tracing

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


def _writes(func: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The positions and names of the arguments an op writes, read off its schema."""
    places, names = [], []
    for k, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            names.append(argument.name)
            if not argument.kwarg_only:
                places.append(k)
    return tuple(places), tuple(names)


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


_plans: dict[Any, Handler | None] = {}
_NARROW = (torch.float32, torch.bfloat16, torch.float16)


def widened(kwargs: Any) -> dict[str, Any]:
    """An op's keywords with a narrow floating dtype replaced by double: expressions know no rounding."""
    if kwargs and kwargs.get("dtype") in _NARROW:
        return {**kwargs, "dtype": torch.float64}
    return kwargs or {}


class Widening(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its modes untyped
    """Runs every op in double, so that the state of unobserved steps has the dtypes of observed ones."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **widened(kwargs))


class Shadowing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs every op for real, in double where `widen`, and brings the shadow up to date."""

    def __init__(self, memory: Memory, widen: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.memory = memory
        self.widen = widen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = widened(kwargs) if self.widen else kwargs or {}
        memory = self.memory
        if func not in _plans:
            from verifier.lift.ops import plan

            _plans[func] = plan(func)
        handler = _plans[func]
        if handler is None:
            return func(*args, **kwargs)
        memory.trace.ops += 1
        try:
            if any(t.is_complex() for t in tensors_of([*args, *kwargs.values()])):
                from verifier.lift.pairs import by_parts

                return by_parts(handler, memory, func, args, kwargs)
            return handler(memory, func, args, kwargs)
        except Unreadable as reason:
            return self._opaque(func, args, kwargs, str(reason))

    def _opaque(self, func: Any, args: Any, kwargs: Any, reason: str) -> Any:
        """Runs an op that cannot be followed; everything it wrote becomes unknown, under the op's name."""
        memory, trace = self.memory, self.memory.trace
        name = str(func)
        site = call_site()
        out = func(*args, **kwargs)
        trace.opaque.append((name if not reason else f"{name} ({reason})", site))
        places, names = _writes(func)
        written = [args[k] for k in places if k < len(args)] + [kwargs[n] for n in names if n in kwargs]
        for tensor in tensors_of([*written, *(out if isinstance(out, list | tuple) else [out])]):
            with contextlib.suppress(Unreadable):
                memory.write(tensor, expr.make("opaque", name, len(trace.opaque)))
        return out


class Items(TorchFunctionMode):
    """Tags the numbers that `.item()` and `.tolist()` hand to Python."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.Tensor.item:
            with contextlib.suppress(Unreadable):
                return self.memory.trace.tag(out, self.memory.item(args[0]))
        elif func is torch.Tensor.tolist and isinstance(out, list | float | int):
            with contextlib.suppress(Unreadable):
                return self._tag_list(out, self.memory.read(args[0]))
        return out

    def _tag_list(self, values: Any, nodes: Any) -> Any:
        if isinstance(values, list):
            return [self._tag_list(v, n) for v, n in zip(values, nodes, strict=True)]
        return self.memory.trace.tag(values, nodes if isinstance(nodes, Node) else nodes[()])


@contextlib.contextmanager
def watching(memory: Memory, widen: bool = False) -> Iterator[None]:
    """Follows everything torch does in the block; `widen` replaces narrow floating dtypes by double."""
    with Items(memory), Shadowing(memory, widen):
        yield


_GATE = "_get_capturable_supported_devices"


@contextlib.contextmanager
def capturable(modules: Iterable[Any] = ()) -> Iterator[None]:
    """Lets capturable=True step on the CPU, by the very lines that run on an accelerator; given back afterwards.

    Only torch's list of devices is widened, wherever `modules` hold it: `torch.compiler.is_compiling`, which opens
    the same door, would also take lines that no eager step takes.
    """
    spaces = [vars(m) for m in (sys.modules["torch.optim.optimizer"], *dict.fromkeys(modules)) if _GATE in vars(m)]
    replaced = [(space, space[_GATE]) for space in {id(s): s for s in spaces}.values()]
    try:
        for space, original in replaced:
            space[_GATE] = lambda *args, original=original, **kwargs: [*original(*args, **kwargs), "cpu"]
        yield
    finally:
        for space, original in replaced:
            space[_GATE] = original


@contextlib.contextmanager
def prepared(trace: Trace, modules: Iterable[Any] = ()) -> Iterator[None]:
    """Double precision by default, `math` following tags, own random numbers, silence; all given back afterwards."""
    default = torch.get_default_dtype()
    modules = tuple(modules)
    ranges.clear()
    quiet = contextlib.redirect_stdout(io.StringIO())  # optimizers print
    with torch.random.fork_rng(devices=[]), tracing(trace, modules), capturable(modules), quiet:
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(default)
