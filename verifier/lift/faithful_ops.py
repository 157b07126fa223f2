"""For each op, the results a correct kernel may return: {fma, two roundings} x {precision} x {how scalars are held}."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from verifier.lift.roundings import Level, Values, levels, scalars, to_dtype

Candidates = Iterator[Values]
Program = Callable[..., Iterable[Values]]


def _add(at: Level, a: Values, b: Values, alpha: Values | None = None) -> Candidates:
    if alpha is None or np.all(alpha == 1):
        yield at.add(a, b)
    else:
        yield at.fma(alpha, b, a)
        yield at.add(a, at.mul(alpha, b))


def _sub(at: Level, a: Values, b: Values, alpha: Values | None = None) -> Candidates:
    if alpha is None or np.all(alpha == 1):
        yield at.sub(a, b)
    else:
        yield at.fma(-alpha, b, a)
        yield at.sub(a, at.mul(alpha, b))


def _rsub(at: Level, a: Values, b: Values, alpha: Values | None = None) -> Candidates:
    yield from _sub(at, b, a, alpha)


def _mul(at: Level, a: Values, b: Values) -> Candidates:
    yield at.mul(a, b)


def _div(at: Level, a: Values, b: Values) -> Candidates:
    yield at.div(a, b)


def _addcmul(at: Level, a: Values, x: Values, y: Values, value: Values | None = None) -> Candidates:
    scaled = [x] if value is None or np.all(value == 1) else [at.mul(value, x)]
    for left in scaled:
        yield at.fma(left, y, a)
        yield at.add(a, at.mul(left, y))
    if value is not None and not np.all(value == 1):
        product = at.mul(x, y)
        yield at.fma(value, product, a)
        yield at.add(a, at.mul(value, product))
        other = at.mul(value, y)
        yield at.fma(other, x, a)


def _addcdiv(at: Level, a: Values, x: Values, y: Values, value: Values | None = None) -> Candidates:
    if value is None or np.all(value == 1):
        yield at.add(a, at.div(x, y))
        return
    yield at.add(a, at.div(at.mul(value, x), y))
    quotient = at.div(x, y)
    yield at.add(a, at.mul(value, quotient))
    yield at.fma(value, quotient, a)


def _lerp(at: Level, start: Values, end: Values, weight: Values) -> Candidates:
    gap = at.sub(end, start)
    small = np.abs(weight) < 0.5
    for low, high in (
        (at.fma(weight, gap, start), at.fma(at.sub(weight, at.enter(1.0)), gap, end)),
        (at.add(start, at.mul(weight, gap)), at.sub(end, at.mul(gap, at.sub(at.enter(1.0), weight)))),
    ):
        yield np.where(small, low, high)


def _sqrt(at: Level, a: Values) -> Candidates:
    yield from at.sqrt(a)


def _rsqrt(at: Level, a: Values) -> Candidates:
    for root in at.sqrt(a):
        yield at.div(at.enter(1.0), root)


def _reciprocal(at: Level, a: Values) -> Candidates:
    yield at.div(at.enter(1.0), a)


def _square(at: Level, a: Values) -> Candidates:
    yield at.mul(a, a)


def _pow(at: Level, a: Values, exponent: Values) -> Candidates:
    power = float(np.asarray(exponent).reshape(-1)[0]) if np.asarray(exponent).size == 1 else float("nan")
    known: dict[float, Callable[[], Iterable[Values]]] = {
        2.0: lambda: _square(at, a),
        1.0: lambda: [a],
        0.5: lambda: at.sqrt(a),
        -1.0: lambda: _reciprocal(at, a),
        -0.5: lambda: _rsqrt(at, a),
    }
    if power in known:
        yield from known[power]()
        return
    value = np.power(a, exponent)  # no library rounds powers correctly: within one ulp, as for roots
    yield from (value, np.nextafter(value, at.enter(0.0)), np.nextafter(value, at.enter(np.inf)))


def _nearly(f: Callable[..., Values]) -> Program:
    """Functions no library rounds correctly: within one ulp, as vector libraries promise, of numpy's within one."""

    def program(at: Level, *args: Values) -> Candidates:
        value = f(*args)
        low, high = at.enter(-np.inf), at.enter(np.inf)
        below, above = np.nextafter(value, low), np.nextafter(value, high)
        yield from (value, below, above, np.nextafter(below, low), np.nextafter(above, high))

    return program


def _exact(f: Callable[..., Values]) -> Program:
    def program(at: Level, *args: Values) -> Candidates:
        yield f(*args)

    return program


def _maximum(a: Values, b: Values) -> Values:
    return np.maximum(a, b)


def _clamp(x: Values, low: Values | None = None, high: Values | None = None) -> Values:
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


class Unknown(Exception):
    """An op whose admissible results are not known here; says which."""


PROGRAMS: dict[str, Program] = {
    "add": _add, "sub": _sub, "rsub": _rsub, "mul": _mul, "div": _div, "addcmul": _addcmul, "addcdiv": _addcdiv,
    "lerp": _lerp, "sqrt": _sqrt, "rsqrt": _rsqrt, "reciprocal": _reciprocal, "square": _square, "pow": _pow,
    "neg": _exact(np.negative), "abs": _exact(np.abs), "sign": _exact(np.sign), "sgn": _exact(np.sign),
    "maximum": _exact(_maximum), "minimum": _exact(np.minimum), "clamp": _exact(_clamp),
    "clamp_min": _exact(np.maximum), "clamp_max": _exact(np.minimum), "clip": _exact(_clamp),
    "fmax": _exact(np.fmax), "fmin": _exact(np.fmin), "relu": _exact(lambda a: np.maximum(a, np.zeros_like(a))),
    "floor": _exact(np.floor), "ceil": _exact(np.ceil), "trunc": _exact(np.trunc), "round": _exact(np.round),
    "positive": _exact(np.positive), "copysign": _exact(np.copysign),
    "exp": _nearly(np.exp), "log": _nearly(np.log), "expm1": _nearly(np.expm1), "log1p": _nearly(np.log1p),
    "exp2": _nearly(np.exp2), "log2": _nearly(np.log2), "tanh": _nearly(np.tanh), "sin": _nearly(np.sin),
    "cos": _nearly(np.cos), "atan": _nearly(np.arctan), "atan2": _nearly(np.arctan2), "hypot": _nearly(np.hypot),
}  # fmt: skip
"""Ops on floating-point tensors; results are compared bit for bit."""


def admissible(name: str, dtype: torch.dtype, operands: Sequence[tuple[str, Any]]) -> list[Values]:
    """Every result a correct kernel may return.

    `operands`: ('tensor', values), ('scalar', number) or ('none', None).
    """
    program = PROGRAMS.get(name)
    if program is None:
        raise Unknown(name)
    found: list[Values] = []
    with np.errstate(all="ignore"):
        for at in levels(dtype):
            choices = [_choices(kind, value, dtype, at) for kind, value in operands]
            for chosen in itertools.product(*choices):
                for result in program(at, *chosen):
                    value = to_dtype(result, dtype)
                    if not any(_identical(value, f) for f in found):
                        found.append(value)
    return found


def _choices(kind: str, value: Any, dtype: torch.dtype, at: Level) -> list[Any]:
    if kind == "none":
        return [None]
    if kind == "scalar":
        return scalars(float(value), dtype, at)
    return [at.enter(value)]


def _identical(a: Values, b: Values) -> bool:
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())
