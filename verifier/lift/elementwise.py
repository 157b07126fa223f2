"""The elementwise ops as functions of expressions; arguments in schema order, tensors first broadcast by numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.memory import Unreadable


def _each(f: Callable[..., Node], count: int) -> Callable[..., Any]:
    made: Callable[..., Any] = np.frompyfunc(f, count, 1)
    return made


ADD, SUB, MUL, DIV = (_each(f, 2) for f in (expr.add, expr.sub, expr.mul, expr.div))
POW, MAX, MIN = (_each(f, 2) for f in (expr.power, expr.maximum, expr.minimum))
NEG, SQRT, ABS, SIGN, NOT = (_each(f, 1) for f in (expr.neg, expr.sqrt, expr.absolute, expr.sign, expr.negate))
AND, OR = _each(expr.both, 2), _each(expr.either, 2)
REAL, TRUTH = _each(expr.real, 1), _each(expr.truth, 1)
WHERE = _each(expr.where, 3)
LT, LE, EQ, NE = (_each(lambda a, b, op=op: expr.compare(op, a, b), 2) for op in ("lt", "le", "eq", "ne"))
FLOOR, TRUNC = (_each(lambda a, f=f: expr.function(f, a), 1) for f in ("floor", "trunc"))
_IS_COND = _each(lambda a: a.is_condition, 1)


def _named(name: str, count: int = 1) -> Callable[..., Any]:
    return _each(lambda *a: expr.function(name, *a), count)


def _scaled(alpha: Any, x: Any) -> Any:
    return x if alpha is None or alpha is expr.ONE else MUL(alpha, x)


def _add(a: Any, b: Any, alpha: Any = None) -> Any:
    return ADD(a, _scaled(alpha, b))


def _sub(a: Any, b: Any, alpha: Any = None) -> Any:
    return SUB(a, _scaled(alpha, b))


def _complement(weight: Node) -> Node:
    """1 - weight; of 1 - beta, beta."""
    if weight.op == "add" and weight.args[0] is expr.ONE:
        return expr.neg(weight.args[1])
    return expr.sub(expr.ONE, weight)


_COMPLEMENT = _each(_complement, 1)


def _lerp(start: Any, end: Any, weight: Any) -> Any:
    return ADD(MUL(_COMPLEMENT(weight), start), MUL(weight, end))


def _clamp(x: Any, low: Any = None, high: Any = None) -> Any:
    x = x if low is None else MAX(x, low)
    return x if high is None else MIN(x, high)


def _sigmoid(x: Any) -> Any:
    return DIV(expr.ONE, ADD(expr.ONE, EXP(NEG(x))))


def _log_base(base: int) -> Callable[[Any], Any]:
    return lambda x: DIV(LOG(x), expr.function("log", expr.const(base)))


def _remainder(a: Any, b: Any) -> Any:
    return MOD(a, b)


def _nan_to_num(x: Any, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Any:
    return x  # real numbers are never NaN or infinite


def _bitwise(f: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        if not all(np.all(_IS_COND(a)) for a in args):
            raise Unreadable("bits of integers")
        return f(*args)

    return call


EXP, LOG, MOD = _named("exp"), _named("log"), _named("mod", 2)
_truths = _each(lambda a, b: expr.either(expr.both(a, expr.negate(b)), expr.both(expr.negate(a), b)), 2)


def _constantly(node: Node) -> Callable[..., Any]:
    return _each(lambda a: node, 1)


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "add": _add, "sub": _sub, "rsub": lambda a, b, alpha=None: SUB(b, _scaled(alpha, a)), "mul": MUL, "div": DIV,
    "subtract": _sub, "multiply": MUL, "divide": DIV, "true_divide": DIV,
    "div_floor": lambda a, b: FLOOR(DIV(a, b)), "div_trunc": lambda a, b: TRUNC(DIV(a, b)),
    "floor_divide": lambda a, b: FLOOR(DIV(a, b)), "remainder": _remainder,
    "fmod": lambda a, b: SUB(a, MUL(b, TRUNC(DIV(a, b)))),
    "pow": POW, "float_power": POW, "square": lambda a: POW(a, expr.TWO), "sqrt": SQRT,
    "rsqrt": lambda a: DIV(expr.ONE, SQRT(a)), "reciprocal": lambda a: DIV(expr.ONE, a), "neg": NEG, "abs": ABS,
    "sign": SIGN, "sgn": SIGN, "positive": lambda a: a,
    "maximum": MAX, "minimum": MIN, "fmax": MAX, "fmin": MIN, "clamp": _clamp, "clip": _clamp,
    "clamp_min": MAX, "clamp_max": MIN, "relu": lambda a: MAX(a, expr.ZERO),
    "threshold": lambda x, limit, value: WHERE(LE(x, limit), value, x),
    "threshold_backward": lambda g, x, limit: WHERE(LE(x, limit), expr.ZERO, g),
    "hardtanh": _clamp,
    "addcmul": lambda a, x, y, value=None: ADD(a, _scaled(value, MUL(x, y))),
    "addcdiv": lambda a, x, y, value=None: ADD(a, _scaled(value, DIV(x, y))),
    "lerp": _lerp, "where": WHERE, "masked_fill": lambda a, mask, value: WHERE(mask, value, a),
    "lt": LT, "le": LE, "gt": lambda a, b: LT(b, a), "ge": lambda a, b: LE(b, a), "eq": EQ, "ne": NE,
    "logical_and": AND, "logical_or": OR, "logical_not": NOT, "logical_xor": _truths,
    "bitwise_and": _bitwise(AND), "bitwise_or": _bitwise(OR), "bitwise_not": _bitwise(NOT),
    "bitwise_xor": _bitwise(_truths), "__and__": _bitwise(AND), "__or__": _bitwise(OR),
    "exp": EXP, "log": LOG, "expm1": _named("expm1"), "log1p": _named("log1p"), "exp2": lambda a: POW(expr.TWO, a),
    "log2": _log_base(2), "log10": _log_base(10), "sin": _named("sin"), "cos": _named("cos"), "tan": _named("tan"),
    "tanh": _named("tanh"), "atan": _named("atan"), "atan2": _named("atan2", 2), "asin": _named("asin"),
    "acos": _named("acos"), "sinh": _named("sinh"), "cosh": _named("cosh"), "arctan": _named("atan"),
    "erf": _named("erf"), "sigmoid": _sigmoid, "silu": lambda a: MUL(a, _sigmoid(a)),
    "hypot": lambda a, b: SQRT(ADD(POW(a, expr.TWO), POW(b, expr.TWO))),
    "softplus": lambda x, beta=expr.ONE, limit=None: DIV(LOG(ADD(expr.ONE, EXP(MUL(beta, x)))), beta),
    "floor": FLOOR, "trunc": TRUNC, "ceil": _named("ceil"), "round": _named("round"), "fix": TRUNC,
    "frac": lambda a: SUB(a, TRUNC(a)),
    "isnan": _constantly(expr.FALSE), "isinf": _constantly(expr.FALSE), "isfinite": _constantly(expr.TRUE),
    "nan_to_num": _nan_to_num, "copy": lambda a, source: source,
    "copysign": lambda a, b: WHERE(LT(b, expr.ZERO), NEG(ABS(a)), ABS(a)),
    "heaviside": lambda a, b: WHERE(LT(a, expr.ZERO), expr.ZERO, WHERE(EQ(a, expr.ZERO), b, expr.ONE)),
}  # fmt: skip
