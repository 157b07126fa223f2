"""The rule itself as a subject: numpy, with every elementary operation rounded to the format."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from verifier.case import Case, Subject, Trajectory
from verifier.floats import FP32, Array, Format
from verifier.rule import Rule, maximized, shared, t
from verifier.subjects.initial import initial_state

Known = dict[str, Any]
"""Values by name: float64 arrays (elements,) for tensors; floats or such arrays for shared quantities."""

Evaluate = Callable[[Known], Any]


class NotInterpreted(ValueError):
    """An expression of a rule uses a function the reference cannot evaluate; the message names it."""


def reference(rule: Rule, fmt: Format, name: str = "") -> Subject:
    """The subject that computes `rule` line by line, as its formula is printed, in `fmt`.

    Each sum, product, quotient and root over tensors is rounded to `fmt`. What is the same for every element is
    computed in double, as Python code does, and rounded where it meets a tensor: to fp32 for the narrower formats,
    which is the precision kernels hold scalars in. For fp64 this is plain numpy.
    """
    program = compile_rule(rule, fmt)
    climbing = compile_rule(rule if rule.maximize else maximized(rule), fmt)

    def run(case: Case) -> Trajectory:
        return _run(climbing if case.maximize else program, rule, fmt, case)

    return Subject(
        name=name or f"reference {rule.name}",
        rule=rule,
        device="cpu",
        format=fmt,
        implementation="reference",
        path="step",
        run=run,
        target="verifier.subjects.reference:reference",
    )


def _run(program: tuple[tuple[str, Evaluate], ...], rule: Rule, fmt: Format, case: Case) -> Trajectory:
    theta, grads = fmt.round(case.theta), fmt.round(case.grads)
    common = {symbol.name for symbol in shared(rule)}
    started = initial_state(rule, case, theta)
    state = {name: value if name in common else fmt.round(value) for name, value in started.items()}
    rows, state_rows = [theta], {name: [value] for name, value in state.items()}
    taken = np.zeros(len(theta))  # steps each element has taken: steps without a gradient do not count
    for step in range(1, case.steps + 1):
        stepping = _present(case, step)
        taken = taken + stepping
        every = bool(stepping.all())
        count = float(step) if every and (taken == step).all() else np.maximum(taken, 1.0)
        known: Known = {**_hyper(case, step), **state, rule.theta.name: theta, rule.grad.name: grads[step - 1]}
        known[t.name] = count
        with np.errstate(all="ignore"):
            for target, evaluate in program:
                known[target] = evaluate(known)
        theta = _keep(stepping, known[rule.theta.name], theta)
        state = {name: _keep(stepping, known[name], old) for name, old in state.items()}
        rows.append(theta)
        for name, value in state.items():
            state_rows[name].append(value)
    observed = {name: np.stack(values) for name, values in state_rows.items()}
    return Trajectory(np.stack(rows), observed, grads)


def _keep(stepping: NDArray[np.bool_], new: Any, old: Array) -> Array:
    return np.where(stepping, new, old)


def _present(case: Case, step: int) -> NDArray[np.bool_]:
    """Which elements have a gradient at `step`."""
    present = np.ones(len(case.theta), dtype=np.bool_)
    for k, where in enumerate(case.slices):
        if (step, k) in case.absent:
            present[where] = False
    return present


def _hyper(case: Case, step: int) -> dict[str, float | Array]:
    """The hyperparameters at `step`: one number where all groups agree, else one an element."""
    groups = case.all_groups
    if len(groups) == 1:
        return dict(case.hyper_at(step, groups[0]))
    tables = [case.hyper_at(step, group) for group in groups]
    found: dict[str, float | Array] = {}
    for name in tables[0]:
        values = np.zeros(len(case.theta))
        for table, group in zip(tables, groups, strict=True):
            values[case.elements_of(group)] = table[name]
        found[name] = tables[0][name] if all(table[name] == tables[0][name] for table in tables) else values
    return found


@functools.lru_cache(maxsize=512)
def compile_rule(rule: Rule, fmt: Format) -> tuple[tuple[str, Evaluate], ...]:
    """The rule's lines as (target, function of known values), in order."""
    common = shared(rule)
    return tuple((target.name, _Compiler(fmt, common)(sympy.sympify(value))) for target, value in rule.step)


def _rounding(fmt: Format) -> Callable[[Any], Any]:
    """Rounding to `fmt`, by numpy's own conversion where it has the format."""
    native: Mapping[str, Any] = {"float32": np.float32, "float16": np.float16}
    if fmt.name == "float64":
        return lambda x: x
    if fmt.name in native:
        narrow = native[fmt.name]
        return lambda x: np.asarray(x).astype(narrow).astype(np.float64)
    return fmt.round


class _Compiler:
    """Turns an expression into a function of known values; `common` are the names shared by all elements."""

    def __init__(self, fmt: Format, common: frozenset[Symbol]) -> None:
        self.common = common
        self.round = _rounding(fmt)
        self.round_scalar = self.round if fmt.precision >= FP32.precision else _rounding(FP32)

    def __call__(self, e: Expr) -> Evaluate:
        """The value of `e` as a tensor of the format, or, where all elements share it, in double."""
        if self.is_shared(e):
            return self.in_double(e)
        return self.tensor(e)

    def is_shared(self, e: Expr) -> bool:
        return bool(e.free_symbols <= self.common)

    def in_double(self, e: Expr) -> Evaluate:
        names = sorted((symbol.name for symbol in e.free_symbols), key=str)
        evaluate = sympy.lambdify([Symbol(name, real=True) for name in names], _by_name(e), "numpy")
        return lambda known: evaluate(*(np.asarray(known[name], dtype=np.float64) for name in names))

    def operand(self, e: Expr) -> Evaluate:
        """`e` as an operand of a tensor operation: shared values rounded to what kernels hold scalars in."""
        if self.is_shared(e):
            value, narrow = self.in_double(e), self.round_scalar
            return lambda known: narrow(value(known))
        return self.tensor(e)

    def tensor(self, e: Expr) -> Evaluate:
        if isinstance(e, Symbol):
            name = e.name
            return lambda known: known[name]
        if isinstance(e, sympy.Add):
            return self.sum(e)
        if isinstance(e, sympy.Mul):
            return self.product(e)
        if isinstance(e, sympy.Pow):
            return self.power(e)
        if isinstance(e, sympy.Max | sympy.Min):
            return self.fold(np.maximum if isinstance(e, sympy.Max) else np.minimum, e.args)
        if isinstance(e, sympy.Abs | sympy.sign):
            return _after(np.abs if isinstance(e, sympy.Abs) else np.sign, self.operand(e.args[0]))
        if isinstance(e, sympy.Piecewise):
            return self.cases(e)
        raise NotInterpreted(f"{type(e).__name__} in {e} has no floating-point meaning here")

    def fold(self, combine: Callable[[Any, Any], Any], parts: tuple[Expr, ...]) -> Evaluate:
        values = [self.operand(part) for part in parts]
        return lambda known: functools.reduce(combine, (value(known) for value in values))

    def sum(self, e: sympy.Add) -> Evaluate:
        narrow = self.round
        return self.fold(lambda a, b: narrow(a + b), e.args)

    def product(self, e: sympy.Mul) -> Evaluate:
        """Shared factors first, in double; then the tensor factors; then the divisions, one by one."""
        sign, factors, divisors, scalars = 1.0, [], [], []
        for factor in e.args:
            base, exponent = factor.as_base_exp()
            if factor == -1:
                sign = -1.0
            elif self.is_shared(factor):
                scalars.append(factor)
            elif exponent.is_number and exponent.is_negative:
                divisors.append(self.operand(base**-exponent))
            else:
                factors.append(self.operand(factor))
        if scalars:
            factors.insert(0, self.operand(sympy.Mul(*scalars)))
        narrow = self.round

        def evaluate(known: Known) -> Any:
            values = [factor(known) for factor in factors]
            value = functools.reduce(lambda a, b: narrow(a * b), values) if values else 1.0
            for divisor in divisors:
                value = narrow(value / divisor(known))
            return sign * value

        return evaluate

    def power(self, e: sympy.Pow) -> Evaluate:
        base, exponent = e.as_base_exp()
        inner, narrow = self.operand(base), self.round
        if exponent == sympy.Rational(1, 2):
            return lambda known: narrow(np.sqrt(inner(known)))
        if exponent.is_number and exponent.is_negative:
            below = self.operand(base**-exponent)
            return lambda known: narrow(1.0 / below(known))
        if exponent.is_Integer and 1 < int(exponent) <= 8:
            copies = int(exponent)
            return lambda known: functools.reduce(lambda a, b: narrow(a * b), [inner(known)] * copies)
        above = self.operand(exponent)
        return lambda known: narrow(np.power(inner(known), above(known)))

    def cases(self, e: sympy.Piecewise) -> Evaluate:
        branches = [(self.operand(value), self.condition(holds)) for value, holds in e.args]

        def evaluate(known: Known) -> Any:
            result: Any = math.nan
            for value, holds in reversed(branches):
                result = np.where(holds(known), value(known), result)
            return result

        return evaluate

    def condition(self, e: sympy.Basic) -> Evaluate:
        if e in (sympy.true, sympy.false):
            return lambda known: e == sympy.true
        compare: Mapping[type, Any] = {
            sympy.Eq: np.equal,
            sympy.Ne: np.not_equal,
            sympy.StrictGreaterThan: np.greater,
            sympy.GreaterThan: np.greater_equal,
            sympy.StrictLessThan: np.less,
            sympy.LessThan: np.less_equal,
        }
        if type(e) not in compare:
            raise NotInterpreted(f"the condition {e} is not a comparison")
        left, right = self(e.args[0]), self(e.args[1])
        return lambda known: compare[type(e)](left(known), right(known))


def _after(f: Callable[[Any], Any], inner: Evaluate) -> Evaluate:
    return lambda known: f(inner(known))


def _by_name(e: Expr) -> Expr:
    """`e` over plain real symbols, so that assumptions (t is a positive integer) do not matter to its arguments."""
    return e.xreplace({symbol: Symbol(symbol.name, real=True) for symbol in e.free_symbols})
