"""Whether every operation an optimizer ran was a correct rounding of that operation, bit for bit.

Each op is recomputed from the inputs it really had, so nothing accumulates: one wrong kernel is caught at its op.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from verifier.lift import construct
from verifier.lift.faithful_ops import PROGRAMS, Unknown, admissible
from verifier.lift.memory import is_view, tensors_of
from verifier.lift.ops import _kinds, base_name
from verifier.lift.roundings import CARRIER, Values, carried, same_bits, to_dtype
from verifier.lift.scalars import Site, call_site
from verifier.lift.shadow import capturable

FLOATING = tuple(CARRIER)
_EXACT = frozenset({"clone", "copy", "_to_copy", "fill", "zero", "where", "masked_fill"})
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip
_LOGICAL: dict[str, Callable[..., Any]] = {
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_not": np.logical_not,
    "logical_xor": np.logical_xor, "bitwise_and": np.logical_and, "bitwise_or": np.logical_or,
    "bitwise_not": np.logical_not, "bitwise_xor": np.logical_xor, "isnan": np.isnan, "isinf": np.isinf,
    "isfinite": np.isfinite,
}  # fmt: skip
_SILENT = frozenset({"zeros", "zeros_like", "ones", "ones_like", "empty", "empty_like", "full", "full_like",
                     "scalar_tensor", "lift_fresh", "_local_scalar_dense", "new_zeros", "is_nonzero",
                     "_record_function_enter_new", "_RecordFunction", "_record_function_exit"})  # fmt: skip


@dataclass(frozen=True)
class Violation:
    """One element of one op that is none of its admissible roundings; bit patterns as hexadecimal floats."""

    op: str
    site: Site
    step: int
    element: tuple[int, ...]
    dtype: str
    observed: str
    admissible: tuple[str, ...]
    inputs: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"step {self.step}, {self.op} at {self.site}, element {list(self.element)} ({self.dtype}): "
            f"observed {self.observed}, but should be {' or '.join(self.admissible)}, from {', '.join(self.inputs)}"
        )


@dataclass
class Findings:
    """What watching a run showed. `patterns` sums the admissible patterns over all op-elements checked."""

    ops: int = 0
    elements: int = 0
    patterns: int = 0
    violations: list[Violation] = field(default_factory=list)
    unchecked: Counter[str] = field(default_factory=Counter)

    @property
    def faithful(self) -> bool:
        """Whether something was checked, everything was, and nothing was wrong."""
        return self.elements > 0 and not self.violations and not self.unchecked


class Faithful(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its modes untyped
    """Runs every op and holds its output against the roundings it may have.

    `run` replaces the kernels, for tests that need a wrong one. At most `keep` violations are kept in full.
    """

    def __init__(self, run: Callable[[Any, Any, Any], Any] | None = None, keep: int = 20) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.findings = Findings()
        self.step = 0
        self._run = run or (lambda func, args, kwargs: func(*args, **kwargs))
        self._keep = keep

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name, _ = base_name(func)
        if is_view(func) or name in _SILENT or func._schema.name.partition("::")[0] not in ("aten", "prims"):
            return self._run(func, args, kwargs)
        jobs = list(_jobs(func, name, args, kwargs))  # inputs are copied before the op overwrites them
        out = self._run(func, args, kwargs)
        results = list(tensors_of(out)) or list(tensors_of(args[0]))
        self.findings.ops += 1
        if not jobs or len(jobs) != len(results):
            self.findings.unchecked[str(func)] += 1
            return out
        for (base, operands), result in zip(jobs, results, strict=True):
            self._check(str(func), base, operands, result)
        return out

    def _check(self, func: str, name: str, operands: Sequence[tuple[str, Any]], result: torch.Tensor) -> None:
        if result.numel() == 0:
            return
        try:
            observed, allowed = _allowed(name, operands, result)
        except Unknown as reason:
            self.findings.unchecked[f"{func} ({reason})"] += 1
            return
        held = np.zeros(observed.shape, dtype=bool)
        distinct = np.zeros(observed.shape, dtype=np.int64)
        earlier: list[Values] = []
        for candidate in allowed:
            candidate = np.broadcast_to(candidate, observed.shape)
            held |= same_bits(candidate, observed)
            new = np.ones(observed.shape, dtype=bool)
            for other in earlier:
                new &= ~same_bits(candidate, other)
            distinct += new
            earlier.append(candidate)
        self.findings.elements += observed.size
        self.findings.patterns += int(distinct.sum())
        for place in zip(*np.nonzero(~held), strict=True) if observed.ndim else ([()] if not held else []):
            if len(self.findings.violations) < self._keep:
                self.findings.violations.append(self._violation(func, place, observed, earlier, operands, result))

    def _violation(
        self, func: str, place: Any, observed: Values, allowed: Sequence[Values], operands: Any, result: torch.Tensor
    ) -> Violation:
        place = tuple(int(k) for k in place)
        patterns = dict.fromkeys(float(a[place]).hex() for a in allowed)
        inputs = []
        for kind, value in operands:
            if kind == "tensor":
                inputs.append(float(np.broadcast_to(value, observed.shape)[place]).hex())
            elif kind == "scalar":
                inputs.append(repr(float(value)))
        return Violation(
            func, call_site(), self.step, place, str(result.dtype).removeprefix("torch."),
            float(observed[place]).hex(), tuple(patterns), tuple(inputs),
        )  # fmt: skip


def _allowed(name: str, operands: Sequence[tuple[str, Any]], result: torch.Tensor) -> tuple[Values, list[Values]]:
    if result.dtype in FLOATING:
        observed = carried(result)
        if name in _EXACT:
            return observed, [_moved(name, operands, result)]
        return observed, admissible(name, result.dtype, operands)
    if name in _COMPARISONS:
        compare = _COMPARISONS[name]
        (_, a), (kind, b) = operands[:2]
        allowed = [compare(a, np.asarray(b)).astype(np.float64)]
        if kind == "scalar" and np.asarray(a).dtype == np.float32:  # the number may be rounded to the tensor's dtype
            allowed += [compare(a, to_dtype(np.float64(b), d)).astype(np.float64) for d in FLOATING[1:]]
        return result.numpy().astype(np.float64), allowed
    if name in _LOGICAL and result.dtype == torch.bool:
        values = [np.asarray(v) for kind, v in operands if kind != "none"]
        return result.numpy().astype(np.float64), [_LOGICAL[name](*values).astype(np.float64)]
    if name in _EXACT:
        return result.double().numpy(), [np.asarray(_moved(name, operands, result), dtype=np.float64)]
    if name in PROGRAMS and all(kind != "tensor" or np.issubdtype(v.dtype, np.integer) for kind, v in operands):
        whole: dict[str, Callable[..., Any]] = {
            "add": lambda a, b, alpha=1: a + (1 if alpha is None else alpha) * b,
            "mul": np.multiply,
            "sub": np.subtract,
        }
        if name in whole:
            values = [v for _, v in operands]
            return result.double().numpy(), [np.asarray(whole[name](*values), dtype=np.float64)]
    raise Unknown(str(result.dtype).removeprefix("torch."))


def _moved(name: str, operands: Sequence[tuple[str, Any]], result: torch.Tensor) -> Values:
    """What an op that only moves or selects values must give, rounded to the dtype it writes."""
    values = [np.asarray(v) for kind, v in operands if kind != "none"]
    if name == "zero":
        moved: Values = np.zeros(tuple(result.shape))
    elif name == "where":
        moved = np.where(values[0].astype(bool), values[1], values[2])
    elif name == "masked_fill":
        moved = np.where(values[1].astype(bool), values[2], values[0])
    elif name in ("copy", "fill"):
        moved = values[1]
    else:
        moved = values[0]
    moved = np.broadcast_to(moved, tuple(result.shape))
    return to_dtype(moved, result.dtype) if result.dtype in FLOATING else np.trunc(moved.astype(np.float64))


def _jobs(
    func: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """The elementwise computations an op does, each with copies of its operands; one a list item for `_foreach_*`."""
    kinds = [k for k in _kinds(func) if k[1] != "other"]
    bound = []
    for place, (argument, _, _, default) in enumerate(_kinds(func)):
        if any(k[0] == argument for k in kinds):
            bound.append(args[place] if place < len(args) else kwargs.get(argument, default))
    if not name.startswith("_foreach_"):
        if name == "index_put":
            yield from _masked_write(args)
            return
        if any(isinstance(b, list | tuple) for b in bound):
            return
        operands = [_operand(b) for b in bound]
        if all(kind != "unknown" for kind, _ in operands):
            yield name, operands
        return
    name = {"clamp_max": "minimum", "clamp_min": "maximum"}.get(name[9:], name[9:])
    count = max((len(b) for b in bound if isinstance(b, list | tuple)), default=0)
    if name == "zero":
        for tensor in bound[0]:
            yield name, [_operand(tensor)]
        return
    if func._overloadname == "Tensor" and kinds[-1][0] == "scalars":
        bound[-1] = bound[-1].tolist()
    for k in range(count):
        yield name, [_operand(b[k] if isinstance(b, list | tuple) else b) for b in bound]


def _masked_write(args: Sequence[Any]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """`tensor[mask] = number`, the only indexed write that is an elementwise op."""
    target, indices, value = args[:3]
    if len(indices) == 1 and indices[0].dtype == torch.bool and value.numel() == 1 and len(args) < 4:
        yield "masked_fill", [_operand(target), _operand(indices[0]), ("scalar", float(value))]


def _operand(value: Any) -> tuple[str, Any]:
    if value is None:
        return "none", None
    if isinstance(value, torch.Tensor):
        if value.dtype in FLOATING:
            return ("scalar", float(value)) if value.dim() == 0 else ("tensor", carried(value))
        return ("unknown", None) if value.is_complex() else ("tensor", value.detach().numpy().copy())
    if isinstance(value, bool | int | float):
        return "scalar", float(value)
    return "unknown", None


def watch(
    target: str | Callable[..., Any],
    implementation: str = "forloop",
    *,
    dtype: torch.dtype = torch.float32,
    steps: int = 20,
    sizes: Sequence[int] = (1, 7, 33),
    seed: int = 0,
    run: Callable[[Any, Any, Any], Any] | None = None,
    **options: Any,
) -> Findings:
    """Every op of `steps` real steps in a real dtype, held against its admissible roundings.

    Parameters have `sizes` elements; values and gradients are drawn over many magnitudes, zeros among them.
    """
    recipe = construct.recipe(target, implementation, **options)
    generator = torch.Generator().manual_seed(seed)
    parameters = [torch.nn.Parameter(_draw(generator, n, dtype)) for n in sizes]
    values = {h.name: construct.generic(h, seed) for h in recipe.hypers}
    mode = Faithful(run)
    optimizer = construct.build(recipe, parameters, values)
    for step in range(1, steps + 1):
        for p in parameters:
            p.grad = _draw(generator, p.numel(), dtype)
        mode.step = step
        with capturable(recipe.modules), mode:
            optimizer.step()
    return mode.findings


def _draw(generator: torch.Generator, count: int, dtype: torch.dtype) -> torch.Tensor:
    """Values of either sign, log-uniform over eight decades, one in sixteen zero. shape=(count,)"""
    magnitude = torch.exp(torch.rand(count, generator=generator, dtype=torch.float64) * math.log(1e8) - math.log(1e6))
    sign = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    kept = torch.randint(0, 16, (count,), generator=generator) > 0
    return (magnitude * sign * kept).to(dtype)
