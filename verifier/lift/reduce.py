"""Sums, norms, products of matrices: reductions written out over the elements of small tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from verifier.lift import expr
from verifier.lift.elementwise import ABS, ADD, DIV, MUL, NE, POW, SQRT, SUB
from verifier.lift.expr import Node
from verifier.lift.memory import Nodes, Unreadable

Dims = int | Sequence[int] | None


def fold(x: Nodes, dim: Dims, keepdim: bool, f: Callable[[Node, Node], Node], empty: Node | None = None) -> Any:
    """`f` folded over some dimensions (all, for None or an empty list)."""
    x = np.asarray(x, dtype=object)  # numpy hands out a 0-dim array's element for the array
    if x.ndim == 0:
        return x
    dims = [dim] if isinstance(dim, int) else list(dim) if dim else list(range(x.ndim))
    dims = sorted(d % x.ndim for d in dims)
    kept = [d for d in range(x.ndim) if d not in dims]
    shape = tuple(x.shape[d] for d in kept)
    rows = x.transpose([*kept, *dims]).reshape((*shape, -1))
    if rows.shape[-1] == 0:
        if empty is None:
            raise Unreadable("a reduction of nothing")
        total: Any = np.full(shape, empty, dtype=object)
    else:
        total = rows[..., 0]
        each = np.frompyfunc(f, 2, 1)
        for k in range(1, rows.shape[-1]):
            total = each(total, rows[..., k])
    if keepdim:
        total = np.asarray(total, dtype=object).reshape([1 if d in dims else x.shape[d] for d in range(x.ndim)])
    return total


def _count(x: Nodes, dim: Dims) -> int:
    dims = [dim] if isinstance(dim, int) else list(dim) if dim else list(range(x.ndim))
    return math.prod(x.shape[d] for d in dims) if x.ndim else 1


def total(self: Nodes, dim: Dims = None, keepdim: bool = False) -> Any:
    """The sum."""
    return fold(self, dim, keepdim, expr.add, expr.ZERO)


def mean(self: Nodes, dim: Dims = None, keepdim: bool = False) -> Any:
    """The mean."""
    return MUL(expr.const(Fraction(1, _count(self, dim))), total(self, dim, keepdim))


def variance(
    self: Nodes, dim: Dims = None, unbiased: bool = True, keepdim: bool = False, correction: Any = None
) -> Any:
    """The variance; Bessel's correction unless `correction` or `unbiased` says otherwise."""
    less = (1 if unbiased else 0) if correction is None else correction
    centred = SUB(self, mean(self, dim, True))
    return DIV(total(POW(centred, expr.TWO), dim, keepdim), expr.const(_count(self, dim) - less))


def vector_norm(self: Nodes, ord: Any = 2, dim: Dims = None, keepdim: bool = False) -> Any:
    """The p-norm of all elements or along dimensions."""
    p = 2.0 if ord is None else float(ord)
    if p == math.inf:
        return fold(ABS(self), dim, keepdim, expr.maximum)
    if p == -math.inf:
        return fold(ABS(self), dim, keepdim, expr.minimum)
    if p == 0:
        return total(NE(self, expr.ZERO), dim, keepdim)
    if p == 1:
        return total(ABS(self), dim, keepdim)
    if p == 2:
        return SQRT(total(POW(self, expr.TWO), dim, keepdim))
    power = expr.const(p)
    return POW(total(POW(ABS(self), power), dim, keepdim), expr.div(expr.ONE, power))


def _norm(self: Nodes, p: Any = 2, dim: Dims = None, keepdim: bool = False) -> Any:
    return vector_norm(self, p, dim, keepdim)


def full_max(self: Nodes) -> Any:
    """The largest element."""
    return fold(self, None, False, expr.maximum)


def _matmul(a: Nodes, b: Nodes) -> Any:
    """Matrix product over the last two dimensions, written out."""
    result: Any = None
    for k in range(a.shape[-1]):
        term = MUL(a[..., :, k, None], b[..., None, k, :])
        result = term if result is None else ADD(result, term)
    if result is None:
        raise Unreadable("a product over nothing")
    return result


def _mv(self: Nodes, vec: Nodes) -> Any:
    return _matmul(self, vec[:, None])[..., 0]


def _dot(self: Nodes, tensor: Nodes | None = None, other: Nodes | None = None) -> Any:
    return total(MUL(self, tensor if tensor is not None else other))


def _blend(self: Nodes, product: Any, beta: Node, alpha: Node) -> Any:
    scaled = MUL(alpha, product)
    return scaled if beta is expr.ZERO else ADD(MUL(beta, self), scaled)


def _cumulate(f: Callable[[Node, Node], Node]) -> Callable[..., Any]:
    def run(self: Nodes, dim: int) -> Any:
        if self.ndim == 0:
            return self
        rows = np.moveaxis(self, dim, 0).copy()
        each = np.frompyfunc(f, 2, 1)
        for k in range(1, len(rows)):
            rows[k] = each(rows[k - 1], rows[k])
        return np.moveaxis(rows, 0, dim)

    return run


def _truth_fold(f: Callable[[Node, Node], Node], empty: Node) -> Callable[..., Any]:
    def run(self: Nodes, dim: Dims = None, keepdim: bool = False) -> Any:
        conditions: Any = np.frompyfunc(expr.truth, 1, 1)(self)
        return fold(conditions, dim, keepdim, f, empty)

    return run


def _extreme(f: Callable[[Node, Node], Node]) -> Callable[..., Any]:
    def run(self: Nodes, dim: Dims = None, keepdim: bool = False) -> Any:
        return fold(self, dim, keepdim, f)

    return run


def _no_reduction(grad: Any) -> Any:
    return grad


def _mse_loss(self: Nodes, target: Nodes, reduction: int = 1) -> Any:
    squared = POW(SUB(self, target), expr.TWO)
    return (_no_reduction, mean, total)[reduction](squared)


def _logsumexp(self: Nodes, dim: Dims = None, keepdim: bool = False) -> Any:
    """log(sum(exp(x))), without the shift that keeps torch from overflowing."""
    exps = np.frompyfunc(lambda x: expr.function("exp", x), 1, 1)(self)
    return np.frompyfunc(lambda x: expr.function("log", x), 1, 1)(fold(exps, dim, keepdim, expr.add))


def _softmax(self: Nodes, dim: int, half_to_float: bool = False) -> Any:
    """exp(x) by its sum; kernels subtract the largest x first, which changes no real value."""
    powers = np.frompyfunc(lambda a: expr.function("exp", a), 1, 1)(self)
    return DIV(powers, total(powers, dim, True))


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": total, "mean": mean, "var": variance,
    "std": lambda self, **k: SQRT(variance(self, **k)),
    "prod": lambda self, dim=None, keepdim=False: fold(self, dim, keepdim, expr.mul, expr.ONE),
    "amax": _extreme(expr.maximum), "amin": _extreme(expr.minimum), "norm": _norm, "linalg_vector_norm": vector_norm,
    "any": _truth_fold(expr.either, expr.FALSE), "all": _truth_fold(expr.both, expr.TRUE),
    "count_nonzero": lambda self, dim=None: total(NE(self, expr.ZERO), dim),
    "dot": _dot, "vdot": _dot, "mv": _mv, "mm": lambda self, mat2: _matmul(self, mat2),
    "bmm": lambda self, mat2: _matmul(self, mat2),
    "addmm": lambda self, mat1, mat2, beta, alpha: _blend(self, _matmul(mat1, mat2), beta, alpha),
    "addmv": lambda self, mat, vec, beta, alpha: _blend(self, _mv(mat, vec), beta, alpha),
    "baddbmm": lambda self, batch1, batch2, beta, alpha: _blend(self, _matmul(batch1, batch2), beta, alpha),
    "addr": lambda self, vec1, vec2, beta, alpha: _blend(self, MUL(vec1[:, None], vec2[None, :]), beta, alpha),
    "ger": lambda self, vec2: MUL(self[:, None], vec2[None, :]),
    "_softmax": _softmax, "trace": lambda self: total(np.diagonal(self)),
    "logsumexp": _logsumexp, "cumsum": _cumulate(expr.add), "cumprod": _cumulate(expr.mul), "mse_loss": _mse_loss,
}  # fmt: skip
