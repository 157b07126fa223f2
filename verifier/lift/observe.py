"""One observed run: a first step from nothing, natural steps, then one step from generic state at a generic t."""

from __future__ import annotations

import inspect
import random
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from verifier.lift import construct, expr, late, schedule
from verifier.lift.construct import Recipe
from verifier.lift.expr import Node
from verifier.lift.generic_state import (
    Overflows,
    T,
    birth,
    flat,
    like,
    number_node,
    point_of,
    real,
    symbolise,
    value_of,
)  # fmt: skip
from verifier.lift.memory import Memory, Nodes
from verifier.lift.ranges import Range, ranges
from verifier.lift.scalars import Condition, Site, Trace, call_site, own_site
from verifier.lift.shadow import prepared, watching, widening
from verifier.lift.slots import short_names, slots

GENERIC_T = 211
"""The step number a counter is set to for the generic step: a prime no code names."""

_CALLS = 3  # calls of a closure whose gradients are told apart

NATURAL = 4  # steps taken unobserved before the generic one, so that its state has values real runs reach
MANY = 13  # and in a second run, for code that counts steps where no tag can follow


@dataclass(eq=False)
class Variable:
    """One state variable: its name, the tensor it belongs to, and its elements' expressions at three moments."""

    name: str
    owner: int | None
    shape: tuple[int, ...]
    initial: Nodes | None  # before the first step, where it could be seen
    first: Nodes  # after the first step
    after: Nodes  # after the generic step
    counter: bool = False
    path: tuple[str, ...] = ()
    is_tensor: bool = True


@dataclass(eq=False)
class Observation:
    """Everything one run showed."""

    theta_first: list[Nodes]
    theta_after: list[Nodes]
    variables: list[Variable]
    domain: list[Condition]  # what the constructor compared
    first_conditions: list[Condition]
    conditions: list[Condition]
    opaque: list[tuple[str, Site]]
    ops: int  # of the generic step
    values: dict[str, float] = field(default_factory=dict)
    point: dict[Node, float] = field(default_factory=dict)  # the concrete value of every symbol at the generic step
    concrete: dict[str, float] = field(default_factory=dict)  # what torch computed, by variable, tensor, element
    first_point: dict[Node, float] = field(default_factory=dict)
    first_concrete: list[tuple[Node, float]] = field(default_factory=list)
    t: int = GENERIC_T
    shapes: tuple[tuple[int, ...], ...] = ()
    missed: frozenset[tuple[str, ...]] = frozenset()  # paths that changed in the generic step and were not known to
    late: frozenset[tuple[str, ...]] = frozenset()  # those of them that begin after the first step: no symbol has them
    settings: Mapping[str, Any] = field(default_factory=dict)  # what `observe` was called with, to go on from
    changed: tuple[str, ...] = ()  # rates that the generic step found changed in its groups


class Stuck(Exception):
    """The optimizer could not be run; the message is its own error."""


def _grads(parameters: Sequence[torch.nn.Parameter], seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1000 + seed)
    return [like(p, torch.randn(real(p).shape, generator=generator, dtype=torch.float64) + 0.1) for p in parameters]


def _spread(call: int) -> float:
    """How a closure's gradient differs from call to call."""
    return 1.0 + 0.0917 * (call - 1)


def _gradient_points(parameters: Sequence[torch.nn.Parameter], seed: int) -> dict[Node, float]:
    """The concrete gradients and losses of a step, those of repeated closure calls included."""
    point: dict[Node, float] = {}
    for call in range(1, _CALLS + 1):
        for k, g in enumerate(_grads(parameters, seed)):
            point.update(point_of("g" if call == 1 else f"g{call}", k, g * _spread(call)))
        point[expr.sym("loss" if call == 1 else f"loss{call}")] = 1.0 / call + 0.1234567
    return point


@dataclass(eq=False)
class _Run:
    """The moving parts of one run."""

    recipe: Recipe
    memory: Memory
    parameters: list[torch.nn.Parameter]
    optimizer: Any = None
    calls: int = 0
    needs_closure: bool = False
    natural: int = NATURAL
    penalty: Any = None  # lam, where the penalty is in the loss

    def _backward(self, grads: Sequence[torch.Tensor], symbols: bool) -> None:
        """The gradients of a loss with gradient g plus lam * sum(theta^2), by torch's own autograd."""
        for k, (p, g) in enumerate(zip(self.parameters, grads, strict=True)):
            p.grad = None
            if symbols:
                self.memory.set_symbol(g, "g", k)

        def backward() -> None:
            for k, (p, g) in enumerate(zip(self.parameters, grads, strict=True)):
                (g * p).sum().backward()  # type: ignore[no-untyped-call]
                if k == 0 or self.recipe.path == "penalty":  # with groups, only the first tensor is penalised
                    (self.penalty * (p**2).sum()).backward()

        if symbols:
            with watching(self.memory, widen=True):
                backward()
        else:
            backward()

    def step(self, seed: int, symbols: bool) -> None:
        """One step with fresh gradients; as a closure where the optimizer asks for one."""
        trace = self.memory.trace
        grads = _grads(self.parameters, seed)
        calls = 0

        def give_gradients(name: str, factor: float = 1.0) -> None:
            for k, (p, g) in enumerate(zip(self.parameters, grads, strict=True)):
                if self.recipe.path == "options" and k == 0:
                    continue  # the first group is there to have other options, not to step
                if p.grad is None:
                    p.grad = g * factor
                else:
                    p.grad.detach().copy_(g * factor)
                if symbols:
                    self.memory.set_symbol(p.grad, name, k)

        def closure(*_: Any, **__: Any) -> torch.Tensor:  # some ask it for a backward pass or not
            nonlocal calls
            calls += 1
            if calls > _CALLS:
                reason = "a step is a loop whose length depends on the data, no one formula"
                raise Stuck(f"unchangeable: closure called more than {_CALLS} times a step at {call_site()}: {reason}")
            with _disable_current_modes():
                give_gradients("g" if calls == 1 else f"g{calls}", _spread(calls))
                loss = torch.tensor(1.0 / calls + 0.1234567)
                if symbols:
                    self.memory.write(loss, expr.sym("loss" if calls == 1 else f"loss{calls}"))
            return loss

        if self.penalty is None:
            give_gradients("g")
        else:
            self._backward(grads, symbols)
        arguments = (closure,) if self.needs_closure else ()
        if symbols:
            known = dict(ranges)  # what this step's branches say holds for this step alone
            try:
                with watching(self.memory, widen=True):
                    self.optimizer.step(*arguments)
            finally:
                ranges.clear()
                ranges.update(known)
            return
        trace.recording = False
        try:
            with widening():
                self.optimizer.step(*arguments)
        finally:
            trace.recording = True


def observe(
    recipe: Recipe,
    seed: int = 0,
    values: Mapping[str, float] | None = None,
    t: int = GENERIC_T,
    generic: Any = construct.generic,
    perturb: bool = True,
    force: Mapping[Node, float] | None = None,
    natural: int = NATURAL,
) -> Observation:
    """Runs the optimizer of `recipe` under shadow memory at the concrete point that `seed` and `values` choose.

    The generic step starts from the state of 1 + `natural` real steps, each number of it moved a little where
    `perturb`; `force` gives numbers of it outright.
    """
    trace = Trace()
    memory = Memory(trace)
    chosen = {h.name: generic(h, seed) for h in recipe.hypers} | dict(values or {})
    with prepared(trace, recipe.modules):
        parameters = construct.make_parameters(recipe.shapes, seed, recipe.tracked, recipe.is_complex)
        for k, p in enumerate(parameters):
            memory.set_symbol(p, "theta", k)
        starting = {name: schedule.at_first(name, value) for name, value in chosen.items()}
        tagged = {name: trace.tag(value, expr.sym(name)) for name, value in starting.items()}
        in_loss = recipe.path in ("penalty", "penalty of weights")
        run = _Run(recipe, memory, parameters, natural=natural, penalty=tagged[construct.PENALTY] if in_loss else None)
        try:
            with watching(memory, widen=True):
                run.optimizer = construct.build(recipe, parameters, tagged)
                if callable(getattr(run.optimizer, "train", None)):  # schedule-free optimizers have two modes
                    run.optimizer.train()
        except Exception as error:  # foreign code may raise anything
            raise Stuck(f"constructor: {type(error).__name__}: {error}") from error
        domain = list(trace.conditions.values())
        tagged_values = dict(trace.values)
        trace.conditions.clear()
        ranges.clear()
        ranges.update(ranges_of(domain) | {T: Range(low=Fraction(1))})
        run.needs_closure = _closure_required(run.optimizer)
        draw = random.Random(seed) if perturb else None
        made = _steps(run, seed, domain, chosen, t, tagged_values, draw, force or {}, starting)
        made.settings = {"seed": seed, "values": chosen, "t": t, "perturb": perturb, "force": dict(force or {}),
                         "natural": natural}  # fmt: skip
        return made


def ranges_of(conditions: Iterable[Condition]) -> dict[Node, Range]:
    """What a constructor's checks say of each single hyperparameter."""
    found: dict[Node, Range] = {}
    for condition in conditions:
        node = condition.assumed
        if node.op not in ("lt", "le"):
            continue
        a, b = node.args
        x, y = expr.number(a), expr.number(b)
        if b.op == "sym" and x is not None:
            old = found.get(b, Range())
            if old.low is None or x > old.low or (x == old.low and node.op == "lt"):
                found[b] = old._replace(low=x, low_open=node.op == "lt")
        elif a.op == "sym" and y is not None:
            old = found.get(a, Range())
            if old.high is None or y < old.high or (y == old.high and node.op == "lt"):
                found[a] = old._replace(high=y, high_open=node.op == "lt")
    return found


def _closure_required(optimizer: Any) -> bool:
    step = inspect.unwrap(type(optimizer).step)
    try:
        parameters = list(inspect.signature(step).parameters.values())[1:]
    except (TypeError, ValueError):
        return False
    return bool(parameters) and parameters[0].default is inspect.Parameter.empty and "closure" in parameters[0].name


def _attempt(run: _Run, seed: int, symbols: bool) -> None:
    try:
        run.step(seed, symbols)
    except Stuck:
        raise
    except Exception as error:  # foreign code may raise anything
        said = f"{error} ({_line_of(error)})" if str(error) else f"at {_line_of(error)}"
        raise Stuck(f"step: {type(error).__name__}: {said}") from error


def _line_of(error: Exception) -> str:
    """Where in the optimizer's code an error was raised, or came through."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(next((site for frame in reversed(frames) if (site := own_site(frame)) is not None), "outside its code"))


def _steps(
    run: _Run,
    seed: int,
    domain: list[Condition],
    chosen: dict[str, float],
    t: int,
    tagged_values: Mapping[float, Node],
    draw: random.Random | None,
    force: Mapping[Node, float],
    starting: Mapping[str, float],
) -> Observation:
    memory, trace, parameters = run.memory, run.memory.trace, run.parameters
    first_point = {expr.sym(n): v for n, v in starting.items()} | {T: 1.0}
    first_point.update(_gradient_points(parameters, 10 * seed + 1))
    for k, p in enumerate(parameters):
        first_point.update(point_of("theta", k, p))
    before = {(s.owner, s.path): (number_node(memory, s), value_of(s)) for s in slots(run.optimizer, parameters)}
    try:
        _attempt(run, 10 * seed + 1, True)
    except Stuck as refused:
        if run.needs_closure:
            raise
        run.needs_closure = True
        try:
            _attempt(run, 10 * seed + 1, True)
        except Stuck as error:
            raise error if "closure" in str(refused) else refused from error
    first_conditions = list(trace.conditions.values())
    trace.conditions.clear()
    theta_first = [memory.read(p).reshape(-1).copy() for p in parameters]
    held = slots(run.optimizer, parameters)
    first = {(s.owner, s.path): number_node(memory, s) for s in held}
    first_concrete = [
        (node, value)
        for p, nodes in zip(parameters, theta_first, strict=True)
        for node, value in zip(nodes, flat(p), strict=True)
    ]
    births = {(s.owner, s.path): birth(memory, s) for s in held if s.is_tensor}
    history = {(s.owner, s.path): [value_of(s)] for s in held}
    for k in range(run.natural):
        _attempt(run, 100 * seed + 20 + k, False)
        for s in slots(run.optimizer, parameters):
            history.setdefault((s.owner, s.path), []).append(value_of(s))
    trace.conditions.clear()
    trace.values = dict(tagged_values)  # what earlier steps computed would be mistaken for what this one computes
    held = slots(run.optimizer, parameters)
    names = short_names([s.path for s in held], chosen)
    point: dict[Node, float] = {expr.sym(n): v for n, v in starting.items()}
    point[T] = float(t)
    try:
        found = symbolise(memory, held, names, before, first, history, t, point, draw, force, run.recipe.stateful)
    except Overflows as few:
        raise Stuck(str(few)) from few
    generator = random.Random(seed)
    for k, p in enumerate(parameters):
        with torch.no_grad():
            p.mul_(1 + 0.1 * generator.random())
        memory.set_symbol(p, "theta", k)
        point.update(point_of("theta", k, p))
    caches = late.tagged(memory, held, names, first, point, run.recipe.stateful)
    changed = schedule.change(run.optimizer, memory, chosen)
    start = trace.ops
    still = {(s.owner, s.path): number_node(memory, s) for s in held if (s.owner, s.path) not in found}
    _attempt(run, 10 * seed + 9, True)
    point.update(_gradient_points(parameters, 10 * seed + 9))
    after_slots = {(s.owner, s.path): s for s in slots(run.optimizer, parameters)}
    missed = late.missed(memory, still, after_slots, changed)
    variables: list[Variable] = []
    concrete: dict[str, float] = {}
    for key, (name, counter) in found.items():
        slot = after_slots.get(key)
        if slot is None or key not in first:
            continue
        after = number_node(memory, slot)
        owner = -1 if key[0] is None else key[0]
        concrete.update({f"{name} {owner} {k}": v for k, v in enumerate(flat(slot.value))})
        initial = before[key][0] if key in before else births.get(key)
        shape = tuple(slot.value.shape) if slot.is_tensor else ()
        variables.append(Variable(name, key[0], shape, initial, first[key], after, counter, key[1], slot.is_tensor))
    theta_after = [memory.read(p).reshape(-1).copy() for p in parameters]
    for k, p in enumerate(parameters):
        concrete.update({f"theta {k} {j}": v for j, v in enumerate(flat(p))})
    kept = {k: expr.sym(n, (-1 if k[0] is None else k[0], 0)) for k, (n, counter) in found.items() if not counter}
    numbers = [(key, node) for key, node in (caches | kept).items() if key in after_slots]
    left = [(node, number_node(memory, after_slots[key])[0], before[key][0] if key in before else None)
            for key, node in numbers if not after_slots[key].is_tensor]  # fmt: skip
    if late.revisited(trace.conditions.values(), caches | kept, history):
        raise Stuck(f"step {t} has been taken, as a number that is kept says")
    conditions = late.settled(list(trace.conditions.values()), left)
    begun = late.read(
        missed - {key[1] for key in first}, caches, [*theta_after, *(v.after for v in variables)], conditions
    )
    made = Observation(
        theta_first, theta_after, variables, domain, first_conditions, conditions,
        list(trace.opaque), trace.ops - start, chosen, point, concrete, first_point, first_concrete, t,
        tuple(tuple(p.shape) for p in parameters), missed, begun, changed=changed,
    )  # fmt: skip
    _rename(made, {n: (starting[n], chosen[n]) for n in changed})
    return made


def _rename(made: Observation, rates: Mapping[str, tuple[float, float]]) -> None:
    """Calls the rates of the generic step by their plain names, those from before it initial."""
    if not rates:
        return
    table = schedule.names(rates)
    arrays = [*made.theta_after, *(v.after for v in made.variables)]
    new = iter(expr.rebuild([n for nodes in arrays for n in nodes], table))
    for nodes in arrays:
        nodes[:] = [next(new) for _ in nodes]
    made.conditions = schedule.renamed(made.conditions, table)
    for name, (before, now) in rates.items():
        made.point |= {expr.sym(name): now, schedule.initial(name): before}
