"""The language update rules are written in: what the paper says about one element, as sympy data."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy
from sympy import Expr, Integer, Symbol

t = Symbol("t", integer=True, positive=True)
"""The number of the step being taken; the first step is step 1."""


class RuleError(ValueError):
    """A rule whose data contradict themselves; the message names the rule, the line and the symbol."""


@dataclass(frozen=True)
class Rule:
    """The update rule of one optimizer for one element, in the order its source writes it.

    `step` is a straight-line program: each line assigns an expression over what is already known (`theta`, `grad`,
    `t`, the hyperparameters, the state before the step, and the names assigned above it). A name of `state` that is
    assigned holds its new value from that line on. `hyper` gives each hyperparameter the set of reals it ranges
    over; `state` gives each state variable its value before the first step, in terms of `theta` and `hyper`.
    `differs` says in a sentence where the code people run departs from `cite`.
    """

    name: str
    cite: str
    theta: Symbol
    grad: Symbol
    hyper: Mapping[Symbol, sympy.Set]
    state: Mapping[Symbol, Expr]
    step: tuple[tuple[Symbol, Expr], ...]
    differs: str = ""
    maximize: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise RuleError(f"rule {self.name!r}: the name must be a Python identifier, such as 'adamw'")
        if not self.cite.strip():
            raise RuleError(f"rule {self.name}: `cite` is empty; say which paper and equation it is taken from")
        known = {self.theta, self.grad, t, *self.hyper, *self.state}
        if len(known) < 3 + len(self.hyper) + len(self.state):
            raise RuleError(f"rule {self.name}: theta, grad, t, hyper and state must have different names")
        for variable, initial in self.state.items():
            for symbol in _ordered(symbols(initial) - {self.theta} - set(self.hyper)):
                raise RuleError(f"rule {self.name}: the initial value of {variable} reads {symbol}, not theta or hyper")
        read: set[Symbol] = set()
        for number, (target, value) in enumerate(self.step, 1):
            for symbol in _ordered(symbols(value) - known):
                raise RuleError(f"rule {self.name}, line {number}, {target} = {value}: {symbol} is not defined")
            if target in self.hyper or target == t:
                raise RuleError(f"rule {self.name}, line {number}: {target} is not the step's to assign")
            read |= symbols(value)
            known.add(target)
        if self.theta not in {target for target, _ in self.step}:
            raise RuleError(f"rule {self.name}: no line assigns {self.theta}")
        read |= {s for initial in self.state.values() for s in symbols(initial)}
        for symbol in _ordered(set(self.hyper) - read):
            raise RuleError(f"rule {self.name}: hyperparameter {symbol} is never used")

    def __hash__(self) -> int:
        return hash((self.name, self.step, self.maximize))

    def symbol(self, name: str) -> Symbol:
        """The symbol of this rule called `name`; KeyError lists the names there are."""
        table = {s.name: s for s in (self.theta, self.grad, t, *self.hyper, *self.state, *(x for x, _ in self.step))}
        if name not in table:
            raise KeyError(f"rule {self.name} has no {name!r}; it has {', '.join(table)}")
        return table[name]


@functools.cache
def symbols(value: Expr) -> frozenset[Symbol]:
    """The symbols of a line. Thousands of edited rules share most of their lines with the rule they are made of."""
    return frozenset(sympy.sympify(value).free_symbols)


def _ordered(some: Iterable[sympy.Basic]) -> list[sympy.Basic]:
    return sorted(some, key=str)


def transition(rule: Rule) -> dict[Symbol, Expr]:
    """theta and every state variable after one step, over theta, grad, the state before it, `t` and `hyper`."""
    if rule not in _TRANSITIONS:
        now: dict[Symbol, Expr] = {}
        for target, value in rule.step:
            now[target] = sympy.sympify(value).xreplace(now)
        _TRANSITIONS[rule] = {s: now.get(s, s) for s in (rule.theta, *rule.state)}
    return dict(_TRANSITIONS[rule])


def unroll(rule: Rule, steps: int, grads: Sequence[Expr] | None = None) -> list[dict[Symbol, Expr]]:
    """The trajectory of `steps` steps from the initial state: entry k is theta and state after k steps.

    `grads` gives the gradient of each step; by default the symbols g_1 .. g_T.
    """
    if grads is None:
        grads = [Symbol(f"{rule.grad.name}_{k}", real=True) for k in range(1, steps + 1)]
    if len(grads) != steps:
        raise ValueError(f"{steps} steps need {steps} gradients, not {len(grads)}")
    once = transition(rule)
    now: dict[Symbol, Expr] = {rule.theta: rule.theta, **{s: sympy.sympify(e) for s, e in rule.state.items()}}
    trajectory = [now]
    for k, grad in enumerate(grads, 1):
        known = {**now, rule.grad: grad, t: Integer(k)}
        now = {s: e.subs(t, k).xreplace(known) for s, e in once.items()}
        trajectory.append(now)
    return trajectory


def maximized(rule: Rule) -> Rule:
    """The same rule climbing instead of descending: it reads -grad wherever `rule` reads grad (torch's `maximize`)."""
    negated = tuple((target, sympy.sympify(value).xreplace({rule.grad: -rule.grad})) for target, value in rule.step)
    assigned = [k for k, (target, _) in enumerate(rule.step) if target == rule.grad]
    if assigned:  # once a line has rebound grad, later lines read the rebound value, whose sign is already right
        first = assigned[0]
        negated = negated[: first + 1] + rule.step[first + 1 :]
    return replace(rule, step=negated, maximize=True)


@functools.cache
def shared(rule: Rule) -> frozenset[Symbol]:
    """The names that are the same for every element: they depend on `t` and hyperparameters alone.

    Implementations compute these once a step, as scalars; all other names are tensors.
    """
    varying: set[Symbol] = {rule.theta, rule.grad}
    varying |= {s for s, e in rule.state.items() if rule.theta in sympy.sympify(e).free_symbols}
    while True:
        more = {x for x, e in rule.step if sympy.sympify(e).free_symbols & varying} - varying
        if not more:
            break
        varying |= more
    return frozenset({t, *rule.hyper, *rule.state, *(x for x, _ in rule.step)} - varying)


def defined_where(rule: Rule) -> tuple[sympy.Basic, ...]:
    """The conditions under which every line of one step is defined, collected before anything is simplified.

    Denominators must not vanish, radicands must not be negative. What the hyperparameters' sets and the state's
    invariants imply is left out. A name assigned by an earlier line stands for its value there. Collected before any
    substitution: sympy would turn 0/(0 + eps) into 0 and forget that eps = 0 is excluded.
    """
    return tuple(written for written, _ in _needed(rule))


def defined_from(rule: Rule) -> tuple[sympy.Basic, ...]:
    """The conditions of `defined_where` over theta, grad, the state before the step, `t` and `hyper` alone."""
    return tuple(inlined for _, inlined in _needed(rule))


def _needed(rule: Rule) -> list[tuple[sympy.Basic, sympy.Basic]]:
    if rule not in _NEEDED:
        _NEEDED[rule] = _conditions(rule)
    return _NEEDED[rule]


def _conditions(rule: Rule) -> list[tuple[sympy.Basic, sympy.Basic]]:
    """Each condition as its line is written, and in terms of what is known before the step."""
    from verifier.equality.normal import conditions, unmet

    now: dict[Symbol, Expr] = {}
    found: dict[sympy.Basic, sympy.Basic] = {}
    for target, value in rule.step:
        line = sympy.sympify(value)
        for condition in conditions([line]):
            found.setdefault(condition.xreplace(now), condition)
        now[target] = line.xreplace(now)
    left = unmet(found, {**rule.hyper, **invariants(rule)})
    return [(found[inlined], inlined) for inlined in left]


def invariants(rule: Rule) -> dict[Symbol, sympy.Set]:
    """The sets some state variables never leave, proved by induction over the steps.

    Each variable is given the narrowest of [0, 1] and [0, oo) that holds its initial value; those that one step may
    leave are widened until a step leaves none. What is left out may be any real.
    """
    if rule not in _INVARIANTS:
        _INVARIANTS[rule] = _invariants(rule)
    return dict(_INVARIANTS[rule])


def _invariants(rule: Rule) -> dict[Symbol, sympy.Set]:
    from verifier.equality.normal import nonnegative

    def inside(value: Expr, values: sympy.Set, domain: Mapping[Symbol, sympy.Set]) -> bool:
        if not nonnegative(value, domain).proved:
            return False
        return values.sup == sympy.oo or nonnegative(1 - value, domain).proved

    found: dict[Symbol, sympy.Set] = {}
    for s, initial in rule.state.items():
        for values in (sympy.Interval(0, 1), sympy.Interval(0, sympy.oo)):
            if inside(sympy.sympify(initial), values, rule.hyper):
                found[s] = values
                break
    once = transition(rule)
    while True:
        domain = {**rule.hyper, **found}
        left = [s for s in found if not inside(once[s], found[s], domain)]
        if not left:
            return found
        for s in left:
            if found[s].sup == 1:
                found[s] = sympy.Interval(0, sympy.oo)
            else:
                del found[s]


# Facts of a rule are computed once; rules are compared by what they say, not by name alone.
_TRANSITIONS: dict[Rule, dict[Symbol, Expr]] = {}
_NEEDED: dict[Rule, list[tuple[sympy.Basic, sympy.Basic]]] = {}
_INVARIANTS: dict[Rule, dict[Symbol, sympy.Set]] = {}
