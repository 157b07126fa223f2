"""An optimizer's whole life as one Hypothesis state machine: whatever happens, each parameter moves as it would alone.

The model is the plainest use of the same class: an optimizer for each parameter, which is only ever stepped. The
machine does everything else to the real one, over all of them at once: groups with options of their own, options that
change, parameters that come late or pause, state saved and loaded, copies, steps that must count for nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from verifier.case import Case, Group
from verifier.floats import FORMATS, same_bits

SIZES = ((3,), (), (2, 2), (17,))
"""The shapes of the parameters a life may come to have, in the order they join."""


def machine(signature: Any, dtype: str = "float32", implementation: str = "forloop") -> type[RuleBasedStateMachine]:
    """The state machine of one implementation of a class; run its `TestCase`, or give it to Hypothesis.

    A bit that differs from the model raises AssertionError naming the parameter and the step.
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
    shapes = [shape for shape in SIZES if least <= len(shape) <= most]

    def built(one: Foreign, tensors: list[Any], hyper: dict[str, float], own: dict[str, float]) -> Any:
        count = sum(t.numel() for t in tensors)
        case = Case(tuple(tuple(t.shape) for t in tensors), np.zeros(count), np.zeros((0, count)), hyper)
        return one.optimizer(case.with_(groups=(Group(tuple(range(len(tensors))), own),)), tensors)

    class Life(RuleBasedStateMachine):
        """The real optimizer, and one of the model for each parameter."""

        @initialize(hyper=combinations, seed=st.integers(0, 2**16))
        def born(self, hyper: dict[str, float], seed: int) -> None:
            self.random = np.random.default_rng(seed)
            self.hyper = dict(hyper)
            self.steps = 0
            self.real = [self.parameter(shapes[0])]
            self.alone = [p.detach().clone().requires_grad_() for p in self.real]
            self.optimizer = built(subject, self.real, self.hyper, {})
            self.options = [dict(self.hyper)]
            self.models = [built(model, self.alone[:1], self.hyper, {})]

        def parameter(self, shape: tuple[int, ...]) -> Any:
            return torch.nn.Parameter(subject.tensor(self.random.standard_normal(int(np.prod(shape)))).reshape(shape))

        @rule(missing=st.sets(st.integers(0, len(SIZES) - 1), max_size=2))
        def step(self, missing: set[int]) -> None:
            """A step in which some parameters have no gradient."""
            self.steps += 1
            for k, (p, q) in enumerate(zip(self.real, self.alone, strict=True)):
                if k in missing and "absent_gradients" not in signature.exempt:
                    p.grad = q.grad = None
                    continue
                p.grad = subject.tensor(self.random.standard_normal(p.numel())).reshape(p.shape)
                q.grad = p.grad.clone()
                self.models[k].step()
            self.optimizer.step()

        @precondition(lambda self: len(self.real) < len(shapes) and "added_group" not in signature.exempt)
        @rule(own=combinations)
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
            self.optimizer.add_param_group({"params": [p], **differing})
            self.models.append(built(model, [q], self.hyper, {n: own[n] for n in signature.group_options}))

        @precondition(lambda self: bool(free))
        @rule(name=st.sampled_from(free or [""]), other=combinations, which=st.integers(0, len(SIZES) - 1))
        def change(self, name: str, other: dict[str, float], which: int) -> None:
            """An option of one group changes."""
            k = which % len(self.real)
            self.options[k] = {**self.options[k], name: other[name]}
            argument = signature.option(name).argument
            value = signature.arguments(self.options[k])[argument]
            self.optimizer.param_groups[k][argument] = value
            self.models[k].param_groups[0][argument] = value

        @precondition(lambda self: "resume" not in signature.exempt and "groups" not in signature.exempt)
        @rule(how=st.sampled_from(("memory", "file", "pickle", "deepcopy")))
        def resume(self, how: str) -> None:
            """The state is saved, and a new optimizer loads it."""
            from verifier.subjects.torch_travel import travel

            saved = travel(self.optimizer.state_dict(), how)
            fresh = built(subject, self.real[:1], self.hyper, {})
            for p in self.real[1:]:
                fresh.add_param_group({"params": [p]})
            fresh.load_state_dict(saved)
            self.optimizer = fresh

        @precondition(lambda self: "idle_step" not in signature.exempt)
        @rule()
        def idle(self) -> None:
            """A step without gradients counts for nothing."""
            for p in self.real:
                p.grad = None
            self.optimizer.step()

        @rule()
        def clear(self) -> None:
            """Gradients are cleared, the state is looked at."""
            self.optimizer.zero_grad()
            self.optimizer.state_dict()

        @invariant()
        def moves_as_alone(self) -> None:
            """Every parameter has the bits it would have alone."""
            for k, (p, q) in enumerate(zip(getattr(self, "real", ()), getattr(self, "alone", ()), strict=True)):
                seen, wanted = (t.detach().reshape(-1).to(torch.float64).numpy() for t in (p, q))
                same = same_bits(seen, wanted)
                assert same.all(), (
                    f"parameter {k} after step {self.steps}: observed {seen[~same][0]!r}, "
                    f"but should be {wanted[~same][0]!r}"
                )

    Life.__name__ = f"LifeOf{signature.name.capitalize()}"
    return Life
