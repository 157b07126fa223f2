"""Follows what torch does, op by op, and keeps the shadow of its memory true."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.memory import Handler, Memory, Unreadable, tensors_of
from verifier.lift.ops import plan
from verifier.lift.pairs import by_parts
from verifier.lift.ranges import ranges
from verifier.lift.scalars import Trace, call_site, tracing


def _writes(func: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The positions and names of the arguments an op writes, read off its schema."""
    places, names = [], []
    for k, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            names.append(argument.name)
            if not argument.kwarg_only:
                places.append(k)
    return tuple(places), tuple(names)


_plans: dict[Any, Handler | None] = {}
_NARROW = (torch.float32, torch.bfloat16, torch.float16)


def widened(kwargs: Any) -> dict[str, Any]:
    """An op's keywords with a narrow floating dtype replaced by double: expressions know no rounding."""
    if kwargs and kwargs.get("dtype") in _NARROW:
        return {**kwargs, "dtype": torch.float64}
    return kwargs or {}


def told(out: Any, kwargs: Any) -> Any:
    """What an op made; where it was asked for in a narrow format, it says so."""
    if kwargs and kwargs.get("dtype") in _NARROW and isinstance(out, torch.Tensor):
        out.asked_for = kwargs["dtype"]  # type: ignore[attr-defined]
    return out


class Converting(TorchFunctionMode):
    """Lets a conversion copy where the real one would: between formats that are one and the same when widened.

    Without it what `.to` returns is the tensor itself, and writing into it would change the state it was taken from.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in _CONVERSIONS and out is args[0]:
            wanted = next((_format(x) for x in (*args[1:], *(kwargs or {}).values()) if _format(x) is not None), None)
            if (wanted or _CONVERSIONS[func] or _format(out)) != _format(out):
                return out.clone()
        return out


_CONVERSIONS = {
    torch.Tensor.to: None, torch.Tensor.type: None, torch.Tensor.type_as: None, torch.Tensor.double: torch.float64,
}  # fmt: skip


def _format(x: Any) -> torch.dtype | None:
    """The format a tensor was asked for in, or a format itself; None for anything else."""
    if isinstance(x, torch.Tensor):
        return getattr(x, "asked_for", x.dtype)
    return x if isinstance(x, torch.dtype) else None


class Widening(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its modes untyped
    """Runs every op in double, so that the state of unobserved steps has the dtypes of observed ones."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return told(func(*args, **widened(kwargs)), kwargs)


@contextlib.contextmanager
def widening() -> Iterator[None]:
    """Runs what torch does in the block in double."""
    with Converting(), Widening():  # type: ignore[no-untyped-call]
        yield


class Shadowing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs every op for real, in double where `widen`, and brings the shadow up to date."""

    def __init__(self, memory: Memory, widen: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.memory = memory
        self.widen = widen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return (
            told(self._followed(func, args, widened(kwargs)), kwargs)
            if self.widen
            else self._followed(func, args, kwargs or {})
        )

    def _followed(self, func: Any, args: Any, kwargs: Any) -> Any:
        memory = self.memory
        if func not in _plans:
            _plans[func] = plan(func)
        handler = _plans[func]
        if handler is None:
            return func(*args, **kwargs)
        memory.trace.ops += 1
        try:
            if any(t.is_complex() for t in tensors_of([*args, *kwargs.values()])):
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
    with Converting() if widen else contextlib.nullcontext(), Items(memory), Shadowing(memory, widen):
        yield


_GATE = "_get_capturable_supported_devices"
_INLINED = "_torchdynamo_inline"  # where torch keeps what a scripted function was made of


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
def unscripted(modules: Iterable[Any] = ()) -> Iterator[None]:
    """Puts the Python that `torch.jit.script` compiled where `modules` hold what it made; given back afterwards.

    A scripted function takes plain doubles, so no tag of a hyperparameter comes out of it.
    """
    held = [
        (vars(m), n, f) for m in modules for n, f in list(vars(m).items()) if isinstance(f, torch.jit.ScriptFunction)
    ]
    replaced = [(space, name, f) for space, name, f in held if callable(getattr(f, _INLINED, None))]
    try:
        for space, name, scripted in replaced:
            space[name] = getattr(scripted, _INLINED)
        yield
    finally:
        for space, name, scripted in replaced:
            space[name] = scripted


@contextlib.contextmanager
def prepared(trace: Trace, modules: Iterable[Any] = ()) -> Iterator[None]:
    """Double precision by default, `math` following tags, own random numbers, silence; all given back afterwards."""
    default = torch.get_default_dtype()
    modules = tuple(modules)
    ranges.clear()
    quiet = contextlib.redirect_stdout(io.StringIO())  # optimizers print
    own_numbers = torch.random.fork_rng(devices=[])
    with own_numbers, unscripted(modules), tracing(trace, modules), capturable(modules), quiet:
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(default)
