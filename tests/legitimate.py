"""Implementations of a rule that no one could fault, drawn at random: what the enclosure must never reject.

An interpreter of its own, over numpy, sharing nothing with the enclosure but the rule. Every choice an honest author
has is drawn anew: which operations are rounded to the format and which stay in a wider register, the order of products
and quotients, where scalars are folded, lerp or multiply-add, a factor (1 - lr*wd) or a subtraction, one root or two,
which neighbour a faithful root returns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy

from verifier.floats import BF16, FP16, FP32, FP64, Array, Format
from verifier.rule import Rule, shared, t

Values = dict[str, Any]


class Implementation:
    """One random way to compute a rule; `step` may draw differently at every operation of every step."""

    def __init__(self, rule: Rule, fmt: Format, rng: np.random.Generator, profile: str = "each") -> None:
        self.rule, self.fmt, self.rng = rule, fmt, rng
        self.common = shared(rule)
        self.base = np.longdouble if fmt is FP64 else np.float64
        self.rounding = rng.choice([0.0, 0.5, 1.0])  # how often an operation is rounded
        self.arithmetic = {"wide": FP64, "consistent": FP32, "low": fmt}.get(profile, FP64)
        self.held = {"wide": FP64, "consistent": FP32, "low": fmt}.get(profile, FP32)
        self.lerps = profile == "lerped"

    # rounding -------------------------------------------------------------------------------------------------------

    def to(self, fmt: Format, x: Any) -> Any:
        """`x` rounded to `fmt`, kept in the base type."""
        if fmt is FP64:
            return np.asarray(x).astype(np.float64).astype(self.base)
        if fmt is FP32:
            return np.asarray(x).astype(np.float32).astype(self.base)
        return fmt.round(np.asarray(x, dtype=np.float64)).astype(self.base)

    def maybe(self, x: Any) -> Any:
        """The result of one operation: rounded to the format, or left in a register (fp32 for narrower formats)."""
        if self.fmt in (BF16, FP16):
            x = self.to(FP32, x)
        return self.to(self.fmt, x) if self.rng.random() < self.rounding else x

    def met(self, value: Any) -> Any:
        """A scalar as a tensor operation reads it."""
        if self.fmt in (BF16, FP16) and self.rng.random() < 0.5:
            value = self.to(FP32, value)
        return self.to(self.fmt, value) if self.rng.random() < 0.7 else self.base(value)

    # scalars --------------------------------------------------------------------------------------------------------

    def scalar(self, e: sympy.Expr, known: Values) -> float:
        """A shared expression, each operation rounded to the format scalars are computed in."""

        def done(x: float) -> float:
            if self.arithmetic is FP64:
                return float(x)
            return float(self.arithmetic.round(np.array(float(x))))

        def value(e: sympy.Expr) -> float:
            if isinstance(e, sympy.Symbol):
                x = float(known[e.name])
                return x if e == t else done(x)
            if e.is_Rational:
                return done(float(e))
            if isinstance(e, sympy.Piecewise):
                return next(value(v) for v, c in e.args if c == sympy.true or self.relation(c, value))
            parts = [value(a) for a in e.args]
            if isinstance(e, sympy.Add):
                total = parts[0]
                for part in parts[1:]:
                    total = done(total + part)
                return total
            if isinstance(e, sympy.Mul):
                top = [p for a, p in zip(e.args, parts, strict=True) if a.as_base_exp()[1] != -1]
                total = 1.0
                for part in top:
                    total = done(total * part)
                for a in e.args:
                    if a.as_base_exp()[1] == -1:
                        total = done(total / value(a.as_base_exp()[0]))
                return total
            if isinstance(e, sympy.Pow):
                if e.exp == sympy.Rational(1, 2):
                    return done(math.sqrt(parts[0])) if parts[0] >= 0 else math.nan
                return done(parts[0] ** parts[1]) if parts[0] != 0 or parts[1] >= 0 else math.inf
            if isinstance(e, sympy.Max | sympy.Min):
                return max(parts) if isinstance(e, sympy.Max) else min(parts)
            raise NotImplementedError(type(e).__name__)

        with np.errstate(all="ignore"):
            try:
                return value(e)
            except ZeroDivisionError:
                return math.nan

    def relation(self, c: Any, value: Any) -> Any:
        """A comparison of two values."""
        left, right = value(c.lhs), value(c.rhs)
        compare = {sympy.Gt: np.greater, sympy.Lt: np.less, sympy.Eq: np.equal}
        return compare[type(c)](left, right)

    # tensors --------------------------------------------------------------------------------------------------------

    def is_shared(self, e: sympy.Expr) -> bool:
        return bool(e.free_symbols <= self.common)

    def tensor(self, e: sympy.Expr, known: Values) -> Any:
        """The value of an expression as this implementation happens to compute it."""
        if self.is_shared(e):
            return self.met(self.scalar(e, known))
        if isinstance(e, sympy.Symbol):
            return known[e.name]
        if isinstance(e, sympy.Add):
            return self.sum(e, known)
        if isinstance(e, sympy.Mul):
            return self.product(e, known)
        if isinstance(e, sympy.Pow):
            base, exponent = e.as_base_exp()
            if exponent == sympy.Rational(1, 2):
                return self.root(self.tensor(base, known))
            if exponent == -1:
                return self.maybe(1 / self.tensor(base, known))
            value = self.tensor(base, known)
            assert exponent == 2
            return self.maybe(value * value)
        if isinstance(e, sympy.Abs | sympy.sign):
            return (np.abs if isinstance(e, sympy.Abs) else np.sign)(self.tensor(e.args[0], known))
        if isinstance(e, sympy.Max | sympy.Min):
            pick = np.maximum if isinstance(e, sympy.Max) else np.minimum
            parts = [self.tensor(a, known) for a in e.args]
            result = parts[0]
            for part in parts[1:]:
                result = pick(result, part)
            return result
        if isinstance(e, sympy.Piecewise):
            *branches, (last, _) = e.args
            result = self.tensor(last, known)
            for value, condition in reversed(branches):
                if self.is_shared(condition.lhs) and self.is_shared(condition.rhs):
                    test = self.relation(condition, lambda x: self.scalar(x, known))
                else:
                    test = self.relation(condition, lambda x: self.tensor(x, known))
                result = np.where(test, self.tensor(value, known), result)
            return result
        raise NotImplementedError(type(e).__name__)

    def root(self, x: Any) -> Any:
        """A faithful root: exact, nearest, or either neighbour."""
        exact = np.sqrt(x)
        nearest = self.to(self.fmt, exact)
        draw = self.rng.random()
        if draw < 0.3:
            return self.maybe(exact)
        if draw < 0.6 or self.fmt in (BF16, FP16):
            return nearest
        step = self.fmt.ulp(np.asarray(nearest, dtype=np.float64)).astype(self.base)
        other = np.where(nearest > exact, nearest - step, np.where(nearest < exact, nearest + step, nearest))
        other = np.where(np.isfinite(nearest) & (np.abs(other - exact) < step), other, nearest)
        return np.where(self.rng.random(np.shape(exact)) < 0.5, other, nearest)

    def sum(self, e: sympy.Add, known: Values) -> Any:
        """A sum in any order, or one of the shapes implementations rewrite."""
        rewritten = self.moving_average(e, known) if self.rng.random() < 0.5 else None
        if rewritten is None and self.rng.random() < 0.5:
            rewritten = self.folded(e, known)
        if rewritten is not None:
            return rewritten
        terms = [self.tensor(term, known) for term in e.args]
        self.rng.shuffle(terms := list(terms))
        total = terms[0]
        for term in terms[1:]:
            total = self.maybe(total + term)
        return total

    def split(self, term: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
        parts = sympy.Mul.make_args(term)
        common = [p for p in parts if self.is_shared(p)]
        return sympy.Mul(*common), sympy.Mul(*[p for p in parts if not self.is_shared(p)])

    def moving_average(self, e: sympy.Add, known: Values) -> Any:
        """b*x + (1-b)*y or x + w*(y - x), as a lerp from either end."""
        if len(e.args) != 2:
            return None
        (b, x), (w, y) = (self.split(term) for term in e.args)
        if 1 not in (x, y) and sympy.expand(b + w - 1) == 0:
            if isinstance(b, sympy.Add):
                b, x, w, y = w, y, b, x
        else:
            for start, term in (e.args, e.args[::-1]):
                weight, difference = self.split(term)
                if isinstance(difference, sympy.Add) and -start in difference.args and not weight.is_Number:
                    b, x, w, y = 1 - weight, start, weight, difference + start
                    break
            else:
                return None
        old, new = self.tensor(x, known), self.tensor(y, known)
        weight = self.met(self.scalar(w, known))
        difference = self.maybe(new - old)
        if self.lerps and self.rng.random() < 0.7:  # from the new to the old, by the weight of the old
            kept = self.met(self.scalar(b, known))
            if kept >= 0.5:
                return self.maybe(old + self.maybe(difference * self.maybe(1 - kept)))
        if weight < 0.5 or self.rng.random() < 0.5:
            return self.maybe(old + self.maybe(weight * difference))
        back = self.maybe(1 - weight)
        return self.maybe(new - self.maybe(difference * back))

    def folded(self, e: sympy.Add, known: Values) -> Any:
        """ASGD's x*(1 - a*b) - b*d as x - b*(d + a*x), which is how torch's foreach code has it."""
        if self.rule.name != "asgd" or not {"d", "eta", "lambd", "theta"} <= {s.name for s in e.free_symbols}:
            return None
        x, d = known["theta"], known["d"]
        lambd, eta = (self.met(self.scalar(self.rule.symbol(n), known)) for n in ("lambd", "eta"))
        inner = self.maybe(d + self.maybe(lambd * x))
        return self.maybe(x - self.maybe(eta * inner))

    def product(self, e: sympy.Mul, known: Values) -> Any:
        """A product with its factors combined in any order."""
        decayed = self.decayed(e, known) if self.rng.random() < 0.6 else None
        if decayed is not None:
            return decayed
        joined = self.one_root(e, known) if self.rng.random() < 0.5 else None
        if joined is not None:
            return joined
        above: list[Any] = []
        below: list[Any] = []
        scalars, sign = [], 1
        for factor in e.args:
            if factor == -1:
                sign = -1
            elif self.is_shared(factor):
                scalars.append(factor)
            else:
                base, exponent = factor.as_base_exp()
                if exponent == 2:
                    above += [self.tensor(base, known)] * 2
                elif exponent.is_negative:
                    below.append(self.tensor(base**-exponent, known))
                else:
                    above.append(self.tensor(factor, known))
        while scalars:  # fold some of them in the scalars' own arithmetic
            count = int(self.rng.integers(1, len(scalars) + 1))
            self.rng.shuffle(scalars := list(scalars))
            part, scalars = scalars[:count], scalars[count:]
            base, exponent = part[0].as_base_exp()
            if count == 1 and exponent == -1 and self.rng.random() < 0.5:
                below.append(self.met(self.scalar(base, known)))
            else:
                above.append(self.met(self.scalar(sympy.Mul(*part), known)))
        result = self.combined(above, below)
        return -result if sign < 0 else result

    def combined(self, above: list[Any], below: list[Any]) -> Any:
        if not above:
            above = [self.base(1)]
        while len(above) + len(below) > 1:
            ways = []
            if len(above) > 1:
                ways.append("times")
            if below:
                ways.append("over")
            if len(below) > 1:
                ways.append("divisors")
            way = self.rng.choice(ways)
            for group in (above, below):
                self.rng.shuffle(order := list(range(len(group))))
                group[:] = [group[i] for i in order]
            if way == "times":
                above.append(self.maybe(above.pop() * above.pop()))
            elif way == "over":
                above.append(self.maybe(above.pop() / below.pop()))
            else:
                below.append(self.maybe(below.pop() * below.pop()))
        return above[0]

    def decayed(self, e: sympy.Mul, known: Values) -> Any:
        """x*(1 - a*b) as x - a*b*x."""
        common, x = self.split(e)
        if not (isinstance(common, sympy.Add) and 1 in common.args and len(common.args) == 2 and x != 1):
            return None
        c = 1 - common
        if len([f for f in sympy.Mul.make_args(c) if not f.is_Number]) < 2:
            return None
        value = self.tensor(x, known)
        return self.maybe(value - self.tensor_times(c, value, known))

    def tensor_times(self, c: sympy.Expr, value: Any, known: Values) -> Any:
        """A product of scalars times a tensor, folded or one by one."""
        factors = list(sympy.Mul.make_args(c))
        if self.rng.random() < 0.5:
            return self.maybe(self.met(self.scalar(c, known)) * value)
        return self.combined([self.met(self.scalar(f, known)) for f in factors] + [value], [])

    def one_root(self, e: sympy.Mul, known: Values) -> Any:
        """sqrt(v)/sqrt(c) as sqrt(v/c)."""
        half = sympy.Rational(1, 2)
        tensors = [f for f in e.args if not self.is_shared(f)]
        scalars = [f for f in e.args if self.is_shared(f)]
        if len(tensors) != 1 or tensors[0].as_base_exp()[1] != half or len(scalars) != 1:
            return None
        base, exponent = scalars[0].as_base_exp()
        if exponent != -half:
            return None
        radicand = self.tensor(tensors[0].as_base_exp()[0], known)
        return self.root(self.maybe(radicand / self.met(self.scalar(base, known))))

    # a step ---------------------------------------------------------------------------------------------------------

    def initial(self, theta: Array, hyper: Mapping[str, float]) -> Values:
        """The state before the first step."""
        state: Values = {}
        for symbol, value in self.rule.state.items():
            number = self.scalar(sympy.sympify(value), {**hyper})
            if symbol in self.common:
                state[symbol.name] = self.kept(number)
            else:
                state[symbol.name] = np.full(theta.shape, self.to(self.fmt, self.base(number)))
        return state

    def kept(self, number: float) -> float:
        return number if self.held is FP64 else float(self.held.round(np.array(number)))

    def step(self, theta: Array, grad: Array, state: Values, hyper: Mapping[str, float], count: int) -> Values:
        """theta and state after one step, as stored."""
        known: Values = {**hyper, t.name: count, self.rule.theta.name: theta.astype(self.base)}
        known[self.rule.grad.name] = grad.astype(self.base)
        for name, value in state.items():
            known[name] = value if np.ndim(value) == 0 else np.asarray(value).astype(self.base)
        with np.errstate(all="ignore"):
            for target, value in self.rule.step:
                e = sympy.sympify(value)
                if target in self.common and target in self.rule.state:
                    known[target.name] = self.kept_line(e, known)
                elif self.is_shared(e):
                    known[target.name] = self.scalar(e, known)
                else:
                    known[target.name] = self.tensor(e, known)
            stored = {self.rule.theta.name: self.to(self.fmt, known[self.rule.theta.name])}
            for symbol in self.rule.state:
                value = known[symbol.name]
                stored[symbol.name] = value if symbol in self.common else self.to(self.fmt, value)
        return {n: v if np.ndim(v) == 0 else np.asarray(v, dtype=np.float64) for n, v in stored.items()}

    def kept_line(self, e: sympy.Expr, known: Values) -> float:
        """A kept scalar's new value: multiplied in place in its own format, or computed and stored."""
        in_place = {s for s in e.free_symbols if s in self.common and s in self.rule.state}
        if in_place and isinstance(e, sympy.Mul) and self.held is not FP64:
            total = 1.0
            for factor in e.args:
                total = self.kept(total * self.kept(self.scalar(factor, known)))
            return total
        return self.kept(self.scalar(e, known))


HYPER: Mapping[str, Any] = {
    "lr": lambda r: 10 ** r.uniform(-4, 0),
    "weight_decay": lambda r: r.choice([0.0, 10 ** r.uniform(-4, 0), 10 ** r.uniform(-1, 0)]),
    "beta1": lambda r: r.choice([0.9, r.uniform(0, 1), 0.0]),
    "beta2": lambda r: r.choice([0.999, r.uniform(0.3, 1)]),
    "eps": lambda r: r.choice([1e-8, 10 ** r.uniform(-12, -1)]),
    "momentum": lambda r: r.choice([0.9, r.uniform(0.01, 1)]),
    "dampening": lambda r: r.choice([0.0, r.uniform(0, 1)]),
    "alpha": lambda r: r.uniform(0.3, 0.999),
    "rho": lambda r: r.uniform(0.3, 0.999),
    "momentum_decay": lambda r: r.choice([4e-3, 10 ** r.uniform(-4, -0.5)]),
    "lr_decay": lambda r: r.choice([0.0, 10 ** r.uniform(-4, -0.5)]),
    "initial_accumulator_value": lambda r: r.choice([0.0, 10 ** r.uniform(-4, -0.5)]),
    "etaminus": lambda r: r.choice([0.5, r.uniform(0.1, 0.95)]),
    "etaplus": lambda r: r.choice([1.2, r.uniform(1.01, 2)]),
    "step_size_min": lambda r: r.choice([1e-6, 10 ** r.uniform(-8, -3)]),
    "step_size_max": lambda r: r.choice([50.0, r.uniform(1, 60)]),
    "lambd": lambda r: 10 ** r.uniform(-4, -0.3),
    "t0": lambda r: r.choice([0.0, 2.0, 5.0, 1e6]),
}
"""Hyperparameters away from the defaults that hide mistakes."""


def draw_hyper(rule: Rule, rng: np.random.Generator) -> dict[str, float]:
    """One value for each hyperparameter of `rule`."""
    return {s.name: float(HYPER[s.name](rng)) for s in rule.hyper}


def draw_values(fmt: Format, rng: np.random.Generator, count: int, wild: bool, low: float, high: float) -> Array:
    """Values of `fmt`: over decades between `low` and `high`, or over the whole range with `wild`; some zeros."""
    if wild:
        values = 2.0 ** rng.uniform(fmt.emin - fmt.precision, fmt.emax, count) * rng.choice([-1, 1], count)
    else:
        values = rng.standard_normal(count) * 10 ** rng.uniform(low, high, count)
    values[rng.random(count) < 0.05] = 0
    return fmt.round(values)


def draw_case(
    rule: Rule, fmt: Format, rng: np.random.Generator, count: int, steps: int, wild: bool
) -> tuple[dict[str, float], Array, Sequence[Array]]:
    """Hyperparameters, parameters and gradients; now and then the same gradient throughout."""
    hyper = draw_hyper(rule, rng)
    theta = draw_values(fmt, rng, count, wild, -8, 3)
    grads = [draw_values(fmt, rng, count, wild, -6, 2) for _ in range(steps)]
    return hyper, theta, [grads[0]] * steps if rng.random() < 0.3 else grads
