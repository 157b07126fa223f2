"""What each aten op does to expressions. An op that is not here is opaque, and the lift says so by its name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from verifier.lift import expr, reduce
from verifier.lift.elementwise import ELEMENTWISE, REAL, TRUTH, WHERE
from verifier.lift.expr import Node
from verifier.lift.memory import Handler, Memory, Nodes, Unreadable, is_view, tensors_of

_SCALAR_TYPES = ("number", "float", "int", "bool", "Scalar")
_NOT_NUMBERS = frozenset({"non_blocking", "out", "dtype", "ord", "unbiased", "accumulate", "memory_format", "layout",
                          "device", "pin_memory", "copy"})  # fmt: skip
_UNTOUCHED = frozenset({"sym_size", "sym_numel", "sym_stride", "is_same_size", "_has_compatible_shallow_copy_type"})
_SHARES = frozenset({"_unsafe_view", "_reshape_alias", "t", "transpose", "unsqueeze", "squeeze", "swapaxes",
                     "as_strided", "detach"})  # fmt: skip
"""Ops whose result shares memory although their schema does not say so, and in-place changes of shape."""

_FACTORY = {
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros", "_efficientzerotensor"), expr.ZERO),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), expr.ONE),
    **dict.fromkeys(("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"), expr.NAN),
}
_FILLED = frozenset({"full", "full_like", "new_full", "scalar_tensor"})
_CONSTANT = frozenset({"arange", "eye", "linspace", "tril_indices", "triu_indices"})
_MOVES = frozenset({"repeat", "flip", "roll", "tril", "triu", "cat", "stack", "index_select", "gather", "diag", "take",
                    "constant_pad_nd", "diag_embed", "rot90", "repeat_interleave", "slice_scatter", "select_scatter",
                    "diagonal_copy", "unfold_copy", "_stack", "block_diag", "slice_backward", "select_backward",
                    "as_strided_copy"})  # fmt: skip


def base_name(func: Any) -> tuple[str, bool]:
    """An op's name without namespace and without the in-place underscore; and whether it had one."""
    name: str = func._schema.name.rpartition("::")[2]
    if name.endswith("_") and not name.endswith("__"):
        return name[:-1], True
    return name, False


def plan(func: Any) -> Handler | None:
    """How to bring the shadow up to date for this op; None where running the op is all there is to do."""
    namespace = func._schema.name.partition("::")[0]
    name, _ = base_name(func)
    if namespace == "profiler" or name in _UNTOUCHED:
        return None
    if namespace not in ("aten", "prims"):
        return _refuse
    if is_view(func) or name in _SHARES:
        return None
    if name.startswith("_foreach_"):
        return _foreach_plan(func, name.removeprefix("_foreach_"))
    if name == "_local_scalar_dense":
        return _item
    if name in _FACTORY:
        return functools.partial(_fill, _FACTORY[name])
    if name in _FILLED:
        return _full
    if name in _CONSTANT:
        return _constant
    if name in _MOVES:
        return _move
    if name in _SPECIAL:
        return _SPECIAL[name]
    if name in reduce.REDUCTIONS:
        return functools.partial(_reduction, reduce.REDUCTIONS[name])
    if name in ("max", "min") and func._schema.arguments[1:] and func._schema.arguments[1].name == "other":
        name = {"max": "maximum", "min": "minimum"}[name]
    if name in ("max", "min"):
        return functools.partial(_extreme, name)
    if name == "aminmax":
        return _both_extremes
    if name in ELEMENTWISE:
        return functools.partial(_elementwise, ELEMENTWISE[name], _kinds(func))
    return _refuse


def _refuse(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    raise Unreadable("")


def _kinds(func: Any) -> tuple[tuple[str, str, bool, Any], ...]:
    """Of each argument of a schema: name, 'tensor' | 'scalar' | 'other', whether a list, its default."""
    kinds = []
    for argument in func._schema.arguments:
        text = str(argument.type)
        inner = text.replace("Optional[", "").replace("List[", "").rstrip("]")
        kind = "tensor" if inner == "Tensor" else "scalar" if inner in _SCALAR_TYPES else "other"
        if argument.name in _NOT_NUMBERS:
            kind = "other"
        kinds.append((argument.name, kind, "List[" in text, argument.default_value))
    return tuple(kinds)


def operand(memory: Memory, value: Any) -> Any:
    """An op's argument as expressions: a tensor's elements, a number's node, None as it is."""
    if isinstance(value, torch.Tensor):
        return memory.read(value)
    if value is None:
        return None
    node = memory.trace.node(value)
    if node is None:
        raise Unreadable(f"argument {type(value).__name__}")
    return node


def _gather(memory: Memory, kinds: Any, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    values, others = [], {}
    for k, (name, kind, is_list, default) in enumerate(kinds):
        value = args[k] if k < len(args) else kwargs.get(name, default)
        if kind == "other":
            if name != "out" and value is not None:
                others[name] = value
        elif is_list and isinstance(value, list | tuple):
            values.append([operand(memory, x) for x in value])
        else:
            values.append(operand(memory, value))
    return values, others


def store(memory: Memory, tensor: torch.Tensor, nodes: Any) -> None:
    """Writes the nodes as the tensor's dtype would hold them: conditions in bool, numbers elsewhere."""
    memory.write(tensor, TRUTH(nodes) if tensor.dtype == torch.bool else REAL(nodes))


def _elementwise(f: Callable[..., Any], kinds: Any, memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    values, others = _gather(memory, kinds, args, kwargs)
    if others.get("rounding_mode"):
        nodes = ELEMENTWISE[f"div_{others['rounding_mode']}"](*values)
    else:
        nodes = f(*values)
    for tensor in tensors_of([args[0] if args else None, kwargs.get("out")]):
        memory.read(tensor)  # its old contents must be known before the op writes
    out = func(*args, **kwargs)
    store(memory, out, nodes)
    return out


def _foreach_plan(func: Any, name: str) -> Handler:
    kinds = _kinds(func)
    if name == "norm":
        return functools.partial(_foreach_each, lambda x, *rest: reduce.vector_norm(x, *rest[:1]), kinds)
    if name == "zero":
        return functools.partial(_foreach_each, lambda x: expr.ZERO, kinds)
    if name in ("max",) and len(kinds) < 3:
        return functools.partial(_foreach_each, reduce.full_max, kinds)
    f = ELEMENTWISE.get({"clamp_max": "minimum", "clamp_min": "maximum"}.get(name, name))
    return functools.partial(_foreach_each, f, kinds) if f else _refuse


def _foreach_each(f: Callable[..., Any], kinds: Any, memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    values, others = _gather(memory, kinds, args, kwargs)
    count = max(len(v) for v in values if isinstance(v, list))
    if func._overloadname == "Tensor" and kinds[-1][0] == "scalars":  # one number a list item, in a 1-d tensor
        values[-1] = list(values[-1].reshape(-1))
    if "ord" in others:
        values.append(others["ord"])
    results = [f(*(v[k] if isinstance(v, list) else v for v in values)) for k in range(count)]
    results = [np.array(r, dtype=object) if isinstance(r, np.ndarray) else r for r in results]
    out = func(*args, **kwargs)
    written = out if isinstance(out, list | tuple) and len(out) == count else args[0]
    for tensor, nodes in zip(written, results, strict=True):
        store(memory, tensor, nodes)
    return out


def _item(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    tensor = args[0]
    node = memory.item(tensor)
    value = func(*args, **kwargs)
    if isinstance(value, bool):
        memory.trace.branch(expr.truth(node), value)
    else:
        memory.trace.tag(value, node)
    return value


def _fill(node: Node, memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    out = func(*args, **kwargs)
    store(memory, out, node)
    if node is expr.NAN:
        memory.births.pop(out.untyped_storage()._cdata, None)
    return out


def _full(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    index = next(k for k, a in enumerate(func._schema.arguments) if a.name in ("fill_value", "s"))
    value = args[index] if index < len(args) else kwargs[func._schema.arguments[index].name]
    node = operand(memory, value)
    out = func(*args, **kwargs)
    store(memory, out, node)
    return out


def _constant(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    out = func(*args, **kwargs)
    memory.read(out)
    return out


def _move(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    """An op that only moves elements: run on the elements' numbers, it shows where each went."""
    sources: list[Nodes] = []
    count = 1

    def numbered(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal count
        sources.append(memory.read(tensor).reshape(-1).copy())
        first, count = count, count + tensor.numel()
        return torch.arange(first, count, dtype=torch.int64).reshape(tensor.shape)

    name, _ = base_name(func)
    indices = {"index", "dim", "repeats"} if name in ("index_select", "gather", "take", "repeat_interleave") else set()
    if name in ("constant_pad_nd",) and (args[2:] or kwargs):
        raise Unreadable("padding value")

    def relabel(position: str, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value if position in indices else numbered(value)
        if isinstance(value, list | tuple) and value and isinstance(value[0], torch.Tensor):
            return [numbered(v) for v in value]
        return value

    arguments = func._schema.arguments
    moved = func(*(relabel(arguments[k].name, a) for k, a in enumerate(args)),
                 **{k: relabel(k, v) for k, v in kwargs.items() if k != "out"})  # fmt: skip
    table: Nodes = np.concatenate([np.array([expr.ZERO], dtype=object), *sources])
    nodes = table[moved.numpy()]
    out = func(*args, **kwargs)
    store(memory, out, nodes)
    return out


def _reduction(f: Callable[..., Any], memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    names = [a.name for a in func._schema.arguments]
    bound = {n: a.default_value for n, a in zip(names, func._schema.arguments, strict=True) if a.has_default_value()}
    bound.update(zip(names, args, strict=False))
    bound.update(kwargs)
    for name in ("out", "dtype", "memory_format", "out_dtype"):
        bound.pop(name, None)
    bound = {n: operand(memory, v) if isinstance(v, torch.Tensor) else v for n, v in bound.items()}
    for name in ("alpha", "beta", "value"):
        if name in bound:
            bound[name] = operand(memory, bound[name])
    nodes = f(**bound)
    out = func(*args, **kwargs)
    store(memory, out, nodes)
    return out


def _extreme(name: str, memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    """max and min over all elements, or over one dimension (whose indices stay unknown)."""
    fold = expr.maximum if name == "max" else expr.minimum
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    keepdim = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    nodes = reduce.fold(memory.read(args[0]), None if dim is None else [dim], keepdim, fold)
    out = func(*args, **kwargs)
    if dim is None:
        store(memory, out, nodes)
    else:
        store(memory, out[0], nodes)
        memory.write(out[1], expr.make("opaque", f"{func}.indices", len(memory.trace.opaque)))
    return out


def _both_extremes(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    nodes = memory.read(args[0])
    low, high = (reduce.fold(nodes, kwargs.get("dim"), kwargs.get("keepdim", False), f)
                 for f in (expr.minimum, expr.maximum))  # fmt: skip
    out = func(*args, **kwargs)
    store(memory, out[0], low)
    store(memory, out[1], high)
    return out


def _copy(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    """clone, _to_copy, copy_: values kept; a real number becomes an integer by dropping its fraction."""
    source = args[1] if base_name(func)[0] == "copy" else args[0]
    if source.dtype == torch.uint8 and memory.holds_wider(source):  # a storage copied byte by byte: deepcopy
        out = func(*args, **kwargs)
        memory.copy_storage(out, source)
        return out
    nodes = memory.read(source).copy()
    out = func(*args, **kwargs)
    to_integer = not out.dtype.is_floating_point and not out.dtype.is_complex and out.dtype != torch.bool
    if to_integer and source.dtype.is_floating_point:
        nodes = ELEMENTWISE["trunc"](nodes)
    if out.dtype.is_complex:
        raise Unreadable(f"{out.dtype}")
    store(memory, out, nodes)
    return out


def _fill_in_place(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    node = expr.ZERO if base_name(func)[0] == "zero" else operand(memory, args[1])
    memory.read(args[0])
    out = func(*args, **kwargs)
    store(memory, out, node if isinstance(node, Node) else node.reshape(-1)[0])
    return out


def _index_put(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    """self[indices] = value: a mask becomes `where`, integer indices write where they point."""
    target, indices, value = args[:3]
    accumulate = args[3] if len(args) > 3 else kwargs.get("accumulate", False)
    nodes, new = memory.read(target).copy(), operand(memory, value)
    given = [i for i in indices if i is not None]
    masked = len(given) == 1 and given[0].dtype == torch.bool and given[0].shape == target.shape[: given[0].dim()]
    if masked and value.numel() == 1:
        mask = memory.read(given[0])
        mask = mask.reshape(mask.shape + (1,) * (nodes.ndim - mask.ndim))
        scalar = new.reshape(-1)[0]
        nodes = WHERE(mask, ELEMENTWISE["add"](nodes, scalar, expr.ONE) if accumulate else scalar, nodes)
    else:
        _concrete(memory, given)
        if len(given) == 1 and given[0].dtype == torch.bool and new.size == 1:
            new = new.reshape(-1)[0]
        place = tuple(slice(None) if i is None else i.numpy() for i in indices)
        if accumulate:
            raise Unreadable("accumulating at indices")
        nodes[place] = new
    out = func(*args, **kwargs)
    store(memory, out, nodes)
    return out


def _concrete(memory: Memory, indices: list[torch.Tensor]) -> None:
    """Integer indices and masks that depend on data are taken as they are on this run, as branches."""
    for index in indices:
        for node, value in zip(memory.read(index).reshape(-1), index.reshape(-1).tolist(), strict=True):
            if node.op in ("const", "true", "false"):
                continue
            if node.op == "opaque":
                raise Unreadable("indices that are unknown")
            if node.is_condition:
                memory.trace.branch(node, value)
            else:
                memory.trace.branch(expr.compare("eq", node, expr.const(value)), True)


def _index(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    source, indices = args[:2]
    _concrete(memory, [i for i in indices if i is not None])
    place = tuple(slice(None) if i is None else i.numpy() for i in indices)
    nodes = memory.read(source)[place].copy()
    out = func(*args, **kwargs)
    store(memory, out, nodes)
    return out


def _masked_select(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    return _index(memory, lambda s, i: func(s, i[0]), (args[0], [args[1]]), kwargs)


def _pow_scalar(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    nodes = ELEMENTWISE["pow"](operand(memory, args[0]), operand(memory, args[1]))
    out = func(*args, **kwargs)
    store(memory, out, nodes)
    return out


def _set(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    """`tensor.data = other`: memory is shared from now on."""
    return func(*args, **kwargs)


def _resize(memory: Memory, func: Any, args: Any, kwargs: Any) -> Any:
    return func(*args, **kwargs)


_SPECIAL: dict[str, Handler] = {
    "clone": _copy, "_to_copy": _copy, "copy": _copy, "lift": _copy, "fill": _fill_in_place, "zero": _fill_in_place,
    "index_put": _index_put, "_index_put_impl": _index_put, "index": _index, "masked_select": _masked_select,
    "set": _set, "resize": _resize,
}  # fmt: skip
