"""An optimizer's whole life as one Hypothesis state machine, against two references.

One is the rule it is held to, where one is known: every step of every parameter must lie in the rule's enclosure, from
what was observed before it. The other is the plainest use of the same class: an optimizer for each parameter, which is
only ever stepped, or moved to another dtype. The machine does everything else to the real one, over all parameters at
once: groups with options of their own, options that change, parameters that come late, freeze or pause, state saved
and loaded, copies, dtype moves, steps that a gradient scaler skips, steps that must count for nothing.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from verifier import enclosure
from verifier.auditing.strayed import Strayed
from verifier.case import Case, Group
from verifier.enclosure import Enclosure
from verifier.floats import FORMATS, FP64, Array, Format, same_bits
from verifier.rule import Rule, shared

SIZES = ((3,), (), (2, 2), (17,))
"""The shapes of the parameters a life may come to have, in the order they join."""


def reference(signature: Any, held: Sequence[Any], hyper: Mapping[str, float]) -> Rule | None:
    """The rule, among those the class is held to, that goes with its switches and words; None: none is known."""
    chosen = [o for o in signature.options if o.kind in ("switch", "word")]
    away = {o.name: hyper[o.name] for o in chosen if hyper[o.name] != o.default}
    for one in held:
        readable = {s.name for s in one.rule.state} <= set(one.states) | {s.name for s in shared(one.rule)}
        if dict(one.fixed) == away and readable and {s.name for s in one.rule.hyper} <= set(hyper):
            found: Rule = one.rule
            return found
    return None


def allowed(rule: Rule, fmt: Format, step: Mapping[str, Any], lerps: bool) -> Iterator[dict[str, Enclosure]]:
    """What one parameter and its state may be after a step, for each way scalars may be rounded, likeliest first.

    `step` holds theta, grad, state (before it; None before the first), hyper and t.
    """
    for profile in enclosure.profiles(fmt, held=bool(shared(rule) & set(rule.state)), lerps=lerps):
        state = step["state"]
        if state is None:
            state = enclosure.initial(rule, fmt, theta=step["theta"], hyper=step["hyper"], profile=profile)
        given = {name: step[name] for name in ("theta", "grad", "hyper", "t")}
        yield enclosure.step(rule, fmt, state=state, profile=profile, **given)


def machine(
    signature: Any, dtype: str = "float32", implementation: str = "forloop", held: Sequence[Any] = (), *,
    sizes: Sequence[tuple[int, ...]] = SIZES, short: bool = False,
) -> type[RuleBasedStateMachine]:  # fmt: skip
    """The state machine of one implementation of a class; run its `TestCase`, or give it to Hypothesis.

    `held` are the rules the class is held to (`probe.Held`). A step outside the rule's enclosure, or a bit that differs
    from the model, raises `Strayed`, naming the parameter and the step. `sizes` are the shapes of parameters; `short`:
    values are multiples of 1/8. `past` is what the last life did, event by event, `log` what came of it.
    """
    import torch

    from verifier.subjects.torch_foreign import Foreign

    subject = Foreign(signature, FORMATS[dtype], implementation)
    model = Foreign(signature, FORMATS[dtype], "forloop")
    free = sorted(
        n for n in signature.group_options if signature.option(n).kind == "float" and n in ("lr", "weight_decay")
    )
    combinations = st.sampled_from(signature.configurations)
    least, most = signature.least_dimensions, signature.most_dimensions
    shapes = [shape for shape in sizes if least <= len(shape) <= most]

    def built(one: Foreign, tensors: list[Any], hyper: dict[str, float], own: dict[str, float]) -> Any:
        count = sum(t.numel() for t in tensors)
        case = Case(tuple(tuple(t.shape) for t in tensors), np.zeros(count), np.zeros((0, count)), hyper)
        return one.optimizer(case.with_(groups=(Group(tuple(range(len(tensors))), own),)), tensors)

    happened: set[str] = set()
    past: list[Any] = []

    def drawn(life: Any, count: int) -> Array:
        values: Array = life.random.standard_normal(count)
        return np.round(values * 8) / 8 if short else values

    def told(event: Any) -> Any:
        """The event, which leaves its name in `happened`."""

        @functools.wraps(event)
        def telling(self: Any, **given: Any) -> None:
            happened.add(event.__name__)
            past.append((event.__name__, given))
            event(self, **given)

        return telling

    class Life(RuleBasedStateMachine):
        """The real optimizer, and one of the model for each parameter; `happened` names what took place in any life."""

        @initialize(hyper=combinations, seed=st.integers(0, 2**16))
        def born(self, hyper: dict[str, float], seed: int) -> None:
            past[:] = [(dict(hyper), seed)]
            self.log: list[tuple[str, Any]] = []
            self.values: list[Any] = []
            self.own: dict[int, dict[str, Any]] = {}
            self.subject, self.model = subject, model
            self.random = np.random.default_rng(seed)
            self.hyper = dict(hyper)
            self.steps = 0
            self.real = [self.parameter(shapes[0])]
            self.alone = [p.detach().clone().requires_grad_() for p in self.real]
            self.optimizer = built(subject, self.real, self.hyper, {})
            self.options = [dict(self.hyper)]
            self.models = [built(model, self.alone[:1], self.hyper, {})]
            self.taken = [0]
            self.kept: dict[int, dict[str, Array] | None] = {}

        def parameter(self, shape: tuple[int, ...]) -> Any:
            values = self.subject.tensor(drawn(self, int(np.prod(shape)))).reshape(shape)
            self.values.append(values.tolist())
            return torch.nn.Parameter(values)

        def seen(self, k: int, rule: Rule) -> tuple[Array, dict[str, Array] | None]:
            """Parameter `k` and its state now, flat, by the rule's names, None where some of it cannot be read."""
            p = self.real[k]
            held = getattr(self.optimizer, "state", {}).get(p, {})
            theta: Array = p.detach().reshape(-1).to(torch.float64).numpy().copy()
            values = {s.name: held.get(s.name) if isinstance(held, dict) else None for s in rule.state}
            if any(value is None for value in values.values()):
                return theta, None
            flat = {n: torch.as_tensor(v).detach().to(torch.float64).expand(p.shape) for n, v in values.items()}
            return theta, {n: v.reshape(-1).numpy().copy() for n, v in flat.items()}

        @rule(missing=st.sets(st.integers(0, len(SIZES) - 1), max_size=2))
        @told
        def step(self, missing: set[int]) -> None:
            """A step in which some parameters have no gradient."""
            self.stepped(missing)

        @rule(count=st.integers(2, 4))
        @told
        def several(self, count: int) -> None:
            """Steps of all parameters that are not frozen, one after the other."""
            for _ in range(count):
                self.stepped(set())

        def stepped(self, missing: set[int]) -> None:
            """A step of the real optimizer and of the models; parameters are held to the rule, where one is known."""
            self.steps += 1
            before: dict[int, tuple[Rule, dict[str, Any]]] = {}
            given: dict[int, Any] = {}
            self.log.append(("step", given))
            for k, (p, q) in enumerate(zip(self.real, self.alone, strict=True)):
                if not p.requires_grad or (k in missing and "absent_gradients" not in signature.exempt):
                    p.grad = q.grad = None
                    continue
                p.grad = self.subject.tensor(drawn(self, p.numel())).reshape(p.shape)
                given[k] = p.grad.tolist()
                q.grad = p.grad.clone()
                self.models[k].step()
                self.taken[k] += 1
                rule = reference(signature, held, self.options[k]) if self.told_of(p) else None
                if rule is not None:
                    theta = self.seen(k, rule)[0]
                    grad = p.grad.reshape(-1).to(torch.float64).numpy().copy()
                    hyper = {s.name: self.options[k][s.name] for s in rule.hyper}
                    first = self.taken[k] == 1
                    before[k] = rule, {"theta": theta, "grad": grad, "hyper": hyper, "t": self.taken[k]}
                    before[k][1]["state"] = None if first else self.kept.get(k)
                    if not first and self.kept.get(k) is None:
                        del before[k]
            self.optimizer.step()
            for k, (rule, step) in before.items():
                self.follows(k, rule, step)

        def told_of(self, p: Any) -> bool:
            """Whether the rules say something of a parameter: what was read of vectors alone does not of matrices."""
            return p.dim() < 2 or not signature.of_vectors or any(one.source == "declared" for one in held)

        def follows(self, k: int, rule: Rule, step: dict[str, Any]) -> None:
            """Parameter `k` lies in the enclosure of its step."""
            theta, self.kept[k] = self.seen(k, rule)  # the next step starts from it, whatever is saved and loaded
            ways: list[Enclosure] = []
            for way in allowed(rule, self.subject.format, step, signature.lerps):
                ways.append(way[rule.theta.name])
                if ways[-1].contains(theta).all():
                    return
            first = int(np.flatnonzero(~ways[0].contains(theta))[0])
            ends = [float(end[first]) for end in ways[0].allowed()]
            raise Strayed("rule", k, self.steps, first, float(theta[first]), ends, rule.name)

        @precondition(lambda self: len(self.real) < len(shapes) and "added_group" not in signature.exempt)
        @rule(own=combinations)
        @told
        def add_group(self, own: dict[str, float]) -> None:
            """A parameter joins, in a group with options of its own."""
            p = self.parameter(shapes[len(self.real)])
            q = p.detach().clone().requires_grad_()
            hyper = {**self.hyper, **{n: own[n] for n in signature.group_options}}
            self.real.append(p)
            self.alone.append(q)
            self.options.append(hyper)
            arguments, plain = signature.arguments(hyper), signature.arguments(self.hyper)
            differing = {n: v for n, v in arguments.items() if v != plain[n]}
            self.own[len(self.real) - 1] = differing
            self.log.append(("group", differing))
            self.optimizer.add_param_group({"params": [p], **differing})
            self.models.append(built(self.model, [q], self.hyper, {n: own[n] for n in signature.group_options}))
            self.taken.append(0)

        @precondition(lambda self: bool(free))
        @rule(name=st.sampled_from(free or [""]), other=combinations, which=st.integers(0, len(SIZES) - 1))
        @told
        def change(self, name: str, other: dict[str, float], which: int) -> None:
            """An option of one group changes."""
            k = which % len(self.real)
            self.options[k] = {**self.options[k], name: other[name]}
            argument = signature.option(name).argument
            value = signature.arguments(self.options[k])[argument]
            self.log.append(("change", {"which": k, "argument": argument, "value": value}))
            self.optimizer.param_groups[k][argument] = value
            self.models[k].param_groups[0][argument] = value

        @precondition(lambda self: "resume" not in signature.exempt and "groups" not in signature.exempt)
        @rule(how=st.sampled_from(("memory", "file", "pickle", "deepcopy")))
        @told
        def resume(self, how: str) -> None:
            """The state is saved, and a new optimizer loads it."""
            from verifier.subjects.torch_travel import travel

            self.log.append(("resume", how))
            self.optimizer = self.loaded(self.subject, self.real, travel(self.optimizer.state_dict(), how))

        def loaded(self, one: Foreign, parameters: list[Any], saved: Any) -> Any:
            """A new optimizer over `parameters`, a group each, that has loaded a state_dict."""
            fresh = built(one, parameters[:1], self.hyper, {})
            for p in parameters[1:]:
                fresh.add_param_group({"params": [p]})
            fresh.load_state_dict(saved)
            return fresh

        @precondition(
            lambda self: (
                self.subject.format is not FP64 and not {"resume", "groups", "added_group"} & set(signature.exempt)
            )
        )
        @rule()
        @told
        def move(self) -> None:
            """The parameters become float64, which loses nothing, and a new optimizer over them loads the state."""
            self.log.append(("move", None))
            saved, states = copy.deepcopy(self.optimizer.state_dict()), [m.state_dict() for m in self.models]
            self.subject, self.model = self.subject.other("float64"), self.model.other("float64")
            self.real = [torch.nn.Parameter(p.detach().double()) for p in self.real]
            self.alone = [torch.nn.Parameter(q.detach().double()) for q in self.alone]
            self.optimizer = self.loaded(self.subject, self.real, saved)
            self.models = [
                self.loaded(self.model, [q], copy.deepcopy(state)) for q, state in zip(self.alone, states, strict=True)
            ]

        @precondition(lambda self: "copying" not in signature.exempt)
        @rule()
        @told
        def copied(self) -> None:
            """The optimizer and its parameters are copied, and the copies go on."""
            self.log.append(("copied", None))
            self.optimizer, self.real = copy.deepcopy((self.optimizer, self.real))

        @precondition(lambda self: "absent_gradients" not in signature.exempt)
        @rule(which=st.integers(0, len(SIZES) - 1))
        @told
        def freeze_or_thaw(self, which: int) -> None:
            """A parameter stops asking for gradients, or asks again."""
            p = self.real[which % len(self.real)]
            p.requires_grad_(not p.requires_grad)
            p.grad = None

        @precondition(lambda self: self.subject.format.name in ("float32", "float64") and not signature.needs_closure)
        @precondition(lambda self: any(p.requires_grad for p in self.real))
        @rule()
        @told
        def skipped(self) -> None:
            """A step whose gradients are not finite, through a gradient scaler: it counts for nothing."""
            self.log.append(("skipped", None))
            for p in self.real:
                p.grad = torch.full_like(p, torch.inf) if p.requires_grad else None
            scaler = torch.amp.GradScaler("cpu")
            scaler.scale(torch.zeros(()))
            scaler.step(self.optimizer)
            for p in self.real:
                p.grad = None

        @precondition(lambda self: "idle_step" not in signature.exempt)
        @rule()
        @told
        def idle(self) -> None:
            """A step without gradients counts for nothing."""
            self.log.append(("idle", None))
            for p in self.real:
                p.grad = None
            self.optimizer.step()

        @rule()
        @told
        def clear(self) -> None:
            """Gradients are cleared, the state is looked at."""
            self.log.append(("clear", None))
            self.optimizer.zero_grad()
            self.optimizer.state_dict()

        @invariant()
        def moves_as_alone(self) -> None:
            """Every parameter has the bits it would have alone."""
            for k, (p, q) in enumerate(zip(getattr(self, "real", ()), getattr(self, "alone", ()), strict=True)):
                seen, wanted = (t.detach().reshape(-1).to(torch.float64).numpy() for t in (p, q))
                same = same_bits(seen, wanted)
                if not same.all():
                    first = int(np.flatnonzero(~same)[0])
                    raise Strayed("alone", k, self.steps, first, float(seen[first]), [float(wanted[first])])

    Life.happened, Life.past = happened, past  # for who runs it to read
    Life.__name__ = f"LifeOf{signature.name.capitalize()}"
    return Life
