"""An optimizer's life in torch: its case run step by step, with everything that happens between and during steps.

Events are named by strings in `Case.events`: step -> names. Those of step 0 hold for the whole run.

    before a step                                   for the whole run (step 0)
    resume:memory|file|pickle|deepcopy|other|...    threads:N        that many threads
    copy, pickle    the optimizer and its tensors   tensor_lr        lr is a 0-dim float64 tensor
    save            a state_dict is taken           complex          pairs of reals are complex numbers
    group:N         group N joins only now          sparse           gradients are sparse, duplicates and all
    found_inf       a step that must be skipped     dtype:K:NAME     tensor K has another dtype
    idle            a step without gradients        filled           fresh memory is filled with NaN
    zero_grad       zero_grad() is called           inspect          facts are taken after every step
                                                    implementation:N another implementation or dtype
    closure         (of the step) step(closure)     neighbour        another optimizer steps in between
    evaluated       eval() and train()              dirty:VALUE      memory that is freed holds a value
                                                    misspelt         an option is given that does not exist
                                                    scaled:N         gradients times N, as grad_scale says
                                                    ascending:N      group N says maximize itself
    rebuild         a new optimizer, built with the options scheduled for this step, takes over the state
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from time import perf_counter
from typing import Any, Protocol

import torch
from torch import Tensor

from verifier import record
from verifier.case import Case, Group, Trajectory
from verifier.floats import Array, Format
from verifier.subjects import torch_sorting
from verifier.subjects.torch_dynamo import set_deterministic
from verifier.subjects.torch_layouts import has_graph, like, place
from verifier.subjects.torch_scaling import announced, refuses, scale_of
from verifier.subjects.torch_travel import loss_of, numbers, pickled, refusals, same, shared, sparse, tensors, travel

DTYPES: dict[str, torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

CALLS = {"zero_grad": ("zero_grad",), "evaluated": ("eval", "train")}
RESUMES = ("memory", "file", "pickle", "deepcopy", "other", "forloop", "foreach", "fused")
"""How a state_dict travels, or what the optimizer it is loaded into was built with."""


class Sightings(Protocol):
    """What a run shows, collected a row at a time."""

    def row(self, state: Mapping[Tensor, Mapping[str, Any]]) -> None: ...

    def trajectory(self, grads: Array) -> Trajectory: ...


class Living(Protocol):
    """What a kind of subject offers for its optimizer to be built and watched."""

    @property
    def format(self) -> Format: ...

    def tensor(self, values: Array) -> Tensor: ...

    def parameters(self, case: Case) -> list[Tensor]: ...

    def options(self, hyper: Mapping[str, float]) -> dict[str, Any]: ...

    def optimizer(self, case: Case, parameters: Sequence[Tensor]) -> Any: ...

    def other(self, implementation: str) -> Living: ...

    def another(self, hyper: Mapping[str, float]) -> dict[str, float]: ...

    def recorder(self, case: Case, parameters: Sequence[Tensor]) -> Sightings: ...


def _lies(value: Any) -> bool:
    """Whether it is a dense tensor of more than one number, so that it matters where it lies."""
    return isinstance(value, Tensor) and value.layout is torch.strided and value.numel() > 1


def _plainly(grad: Tensor | None) -> torch.dtype | None:
    """The dtype of a gradient that is a dense tensor of real numbers; None of any other."""
    return None if grad is None or grad.layout is not torch.strided or grad.is_complex() else grad.dtype


class Life:
    """One optimizer on its way through a case."""

    def __init__(self, subject: Living, case: Case) -> None:
        self.whole = case.events.get(0, ())
        self.subject = subject = subject.other("tensor_lr") if "tensor_lr" in self.whole else subject
        for name in self.whole:
            if name.startswith("implementation:"):
                self.subject = subject = subject.other(name.partition(":")[2])
            elif name == "misspelt":
                self.subject = subject = subject.other(name)
        self.case = case
        self.facts: dict[str, list[Any]] = defaultdict(list)
        self.parameters = self._dressed(subject.parameters(case))
        late = {int(name.partition(":")[2]) for k, names in case.events.items() for name in names if "group:" in name}
        self.waiting = [k for k in range(len(case.all_groups)) if k in late]
        self.joined = [k for k in range(len(case.all_groups)) if k not in late]
        self.optimizer = self._built(subject, case.hyper, own=True)
        self.recorder = subject.recorder(case, self._plain())
        self._flat = subject.tensor(case.grads)
        self._scale = scale_of(self.whole)
        if self._scale is not None:
            refuses(self.optimizer)
        self._neighbour: Any = None

    def run(self) -> Trajectory:
        """The whole case: gradients are assigned to `.grad`, one `step()` each, everything readable recorded."""
        case = self.case
        grads_after = torch.zeros(self._flat.shape, dtype=torch.float64)
        with self._surroundings():
            self._record()
            for step in range(1, case.steps + 1):
                now = case.events.get(step, ())
                self._dirty()
                for name in now:
                    self._before(name, step)
                self._schedule(step)
                self._assign(step)
                self._step(step, closure="closure" in now or getattr(self.subject, "always_closure", False))
                self._read_gradients(step, grads_after)
                self._record()
                if "inspect" in self.whole:
                    self._inspect()
        found = self.recorder.trajectory(self._flat.to(device="cpu", dtype=torch.float64).numpy().copy())
        facts = {**found.facts, **{name: tuple(values) for name, values in self.facts.items()}}
        state = {} if "complex" in self.whole else found.state
        return Trajectory(found.theta, state, found.grads, grads_after.numpy(), facts)

    # -- building

    def _built(self, subject: Living, hyper: Mapping[str, float], *, own: bool) -> Any:
        """An optimizer over the groups that have joined; `own`: each group names the options it has of its own."""
        groups = [self.case.all_groups[k] for k in self.joined]
        chosen = tuple(groups if own else (Group(group.tensors) for group in groups))
        with refusals():
            return subject.optimizer(self.case.with_(hyper=hyper, groups=chosen), self.parameters)

    def _dressed(self, parameters: list[Tensor]) -> list[Tensor]:
        """The parameters in the dtype, or as the complex numbers, that the case's events ask for."""
        if "complex" in self.whole:
            parameters = [like(p, torch.view_as_complex(p.detach().contiguous()).clone()) for p in parameters]
        for name in self.whole:
            if name.startswith("dtype:"):
                _, number, dtype = name.split(":")
                k = int(number)
                parameters[k] = like(parameters[k], parameters[k].detach().to(DTYPES[dtype]))
        return parameters

    def _plain(self) -> list[Tensor]:
        """The parameters as real tensors that share their memory."""
        return [torch.view_as_real(p.detach()) if p.is_complex() else p for p in self.parameters]

    def _dirty(self) -> None:
        """Leaves values behind in memory that is freed: what reads memory it did not write, or past an end, shows."""
        for name in self.whole:
            if name.startswith("dirty:"):
                value = float(name.partition(":")[2])
                [torch.full((16 * n,), value) for n in range(1, 65) for _ in range(4)]

    # -- between steps

    def _before(self, name: str, step: int) -> None:
        kind, _, argument = name.partition(":")
        if kind == "resume":
            self._resume(argument)
        elif kind == "rebuild":
            self._rebuild(step)
        elif kind == "copy":
            self._replace(*copy.deepcopy((self.optimizer, self.parameters)))
        elif kind == "pickle":
            self._replace(*pickled((self.optimizer, self.parameters)))
        elif kind == "save":
            self.optimizer.state_dict()
        elif kind == "group":
            self._join(int(argument), step)
        elif kind == "found_inf":
            self._skipped_step()
        elif kind == "idle":
            for p in self.parameters:
                p.grad = None
            with refusals():
                self.optimizer.step()
        elif kind in CALLS:
            [getattr(self.optimizer, name)() for name in CALLS[kind]]
        elif kind == "neighbour":
            self._step_neighbour(step)

    def _replace(self, optimizer: Any, parameters: list[Tensor]) -> None:
        self.optimizer, self.parameters = optimizer, parameters
        self.recorder._parameters = self._plain()  # type: ignore[attr-defined]  # both recorders look there

    def _resume(self, how: str) -> None:
        """A new optimizer over the same parameters takes the state_dict of the old one, which is never used again."""
        saved = self.optimizer.state_dict()
        dtypes = self._dtypes(self.optimizer)
        before = [p.detach().clone() for p in self.parameters]
        travelled = travel(saved, how)
        subject = self.subject.other(how) if how in ("forloop", "foreach", "fused") else self.subject
        hyper = self.subject.another(self.case.hyper) if how == "other" else self.case.hyper
        fresh = self._built(subject, hyper, own=how != "other")
        fresh.load_state_dict(travelled)
        self.facts["moved"].append(any(not same(a, b) for a, b in zip(before, self.parameters, strict=True)))
        self.facts["shared"].append(sorted(shared(travelled.get("state", {}), fresh.state_dict().get("state", {}))))
        now = {name: dtype for name, dtype in self._dtypes(fresh).items() if dtype.startswith("torch.")}
        changed = sorted(f"{name} {dtypes[name]} -> {now[name]}" for name in now if dtypes[name] != now[name])
        self.facts["dtypes"].append(changed)
        self.optimizer = fresh

    def _dtypes(self, optimizer: Any) -> dict[str, str]:
        """The dtypes of the state, by its name; of what is no tensor, its type."""
        found: dict[str, str] = defaultdict(str)
        for p, values in optimizer.state.items():
            for name, value in values.items() if isinstance(values, dict) else ():
                dtype = str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
                found[f"{name} of a {p.dtype} parameter" if isinstance(p, Tensor) else name] = dtype
        return found

    def _rebuild(self, step: int) -> None:
        """The options scheduled for this step reach the optimizer through its constructor instead of `param_groups`."""
        own = tuple(
            Group(self.case.all_groups[k].tensors, self.case.hyper_at(step, self.case.all_groups[k]))
            for k in self.joined
        )
        first = own[0].hyper if len(own) == 1 else self.case.hyper
        with refusals():
            fresh = self.subject.optimizer(self.case.with_(hyper=first, groups=own, schedule={}), self.parameters)
        fresh.state = self.optimizer.state  # not through a state_dict: whether that keeps state is another contract
        for group, old in zip(fresh.param_groups, self.optimizer.param_groups, strict=True):
            group.update({name: value for name, value in old.items() if name not in self.subject.options(first)})
        before = numbers(self._built(self.subject, self.case.hyper, own=True))
        counted = {name: value for name, value in numbers(self.optimizer).items() if before.get(name, value) != value}
        vars(fresh).update(counted)  # what steps count in attributes, and no option that an attribute keeps
        self.optimizer = fresh

    def _join(self, number: int, step: int) -> None:
        torch_sorting.takes_groups(self.subject)
        group = self.case.all_groups[number]
        own, plain = self.subject.options(self.case.hyper_at(step, group)), self.subject.options(self.case.hyper)
        said = getattr(getattr(self.subject, "signature", None), "keys", {})
        given = {**said, **{name: value for name, value in own.items() if value != plain[name]}}
        named = "param_names" in self.optimizer.param_groups[0]  # torch: all groups have names, or none
        tensors = [(f"weight{k}", self.parameters[k]) if named else self.parameters[k] for k in group.tensors]
        self.optimizer.add_param_group({"params": tensors, **given})
        self.waiting.remove(number)
        self.joined.append(number)

    def _skipped_step(self) -> None:
        """One step with gradients that are not finite, announced as a gradient scaler does: it must change nothing."""
        refuses(self.optimizer)
        for p in self.parameters:
            p.grad = torch.full_like(p, torch.inf)
        with announced(self.optimizer, None, found=True):
            self.optimizer.step()

    def _step_neighbour(self, step: int) -> None:
        """A second optimizer of the same class, over other parameters, takes a step."""
        if self._neighbour is None:
            others = [(p.detach() * 2 + 1).requires_grad_(p.requires_grad) for p in self.parameters]
            groups = tuple(Group(group.tensors) for group in self.case.all_groups)
            case = self.case.with_(hyper=self.subject.another(self.case.hyper), groups=groups)
            with refusals():
                self._neighbour = self.subject.optimizer(case, others), others
        for p in self._neighbour[1]:
            p.grad = torch.full_like(p, 3.0)
        closure = [lambda: torch.zeros(())] if getattr(self.subject, "always_closure", False) else []
        with refusals():
            self._neighbour[0].step(*closure)

    # -- a step

    def _schedule(self, step: int) -> None:
        """Changes the options that the case schedules for this step."""
        if step not in self.case.schedule:
            return
        for group, live in torch_sorting.paired(self.subject, self.case, self.joined, self.optimizer.param_groups):
            before, wanted = (self.subject.options(self.case.hyper_at(at, group)) for at in (step - 1, step))
            changed = torch_sorting.changed(self.subject, live, before, wanted)
            if isinstance(changed.get("lr"), Tensor):
                live["lr"].fill_(changed.pop("lr"))  # as torch.optim.lr_scheduler does
            live.update(changed)

    def _assign(self, step: int) -> None:
        for k, (p, where, shape) in enumerate(zip(self.parameters, self.case.slices, self.case.shapes, strict=True)):
            if (step, k) in self.case.absent:
                p.grad = None
                continue
            values = self._flat[step - 1, where]
            grad = place(values if self._scale is None else values * self._scale, shape, self.case.grad_layout)
            if p.is_complex():
                grad = torch.view_as_complex(grad.contiguous())
            if grad.dtype != p.dtype:
                grad = grad.to(p.dtype)
            p.grad = sparse(grad) if "sparse" in self.whole and grad.dim() else grad

    def _step(self, step: int, *, closure: bool) -> None:
        if not closure:
            with refusals():
                returned = self._timed(self.optimizer.step)
            if "inspect" in self.whole:
                self.facts["returned"].append(returned)
            return
        grads = [p.grad for p in self.parameters]
        loss = torch.tensor(float(step))
        calls: list[bool] = []
        places: list[list[Tensor]] = []

        def evaluate() -> Tensor:
            calls.append(torch.is_grad_enabled())
            places.append([p.detach().clone() for p in self.parameters])
            for p, grad in zip(self.parameters, grads, strict=True):
                p.grad = grad
            return loss

        for p in self.parameters:
            p.grad = None
        with refusals():
            returned = self._timed(self.optimizer.step, evaluate)
        again = [all(map(same, a, b)) for a, b in pairwise(places)]
        self.facts["closure"].append((len(calls), all(calls), loss_of(returned), all(again) and bool(again)))

    def _timed(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """A step of the optimizer, its own time noted."""
        if self._scale is not None:
            with announced(self.optimizer, self._scale, found=False):
                return step(*arguments)
        started = perf_counter()
        try:
            return step(*arguments)
        finally:
            record.current().stepped(self.case.theta.size, perf_counter() - started)

    def _read_gradients(self, step: int, into: Tensor) -> None:
        grads = [p.grad for p in self.parameters]
        if len({_plainly(grad) for grad in grads}) == 1 and _plainly(grads[0]):
            into[step - 1] = torch.cat([grad.detach().reshape(-1) for grad in grads if grad is not None])
            return
        for p, where in zip(self.parameters, self.case.slices, strict=True):
            if p.grad is not None:
                grad = p.grad.to_dense() if p.grad.is_sparse else p.grad
                grad = torch.view_as_real(grad) if grad.is_complex() else grad
                into[step - 1, where] = grad.detach().reshape(-1).to(device="cpu", dtype=torch.float64)

    # -- what is seen

    def _record(self) -> None:
        self.recorder.row({} if "complex" in self.whole else getattr(self.optimizer, "state", {}))

    def _inspect(self) -> None:
        held = list(tensors(vars(self.optimizer), {id(p) for p in self.parameters}))
        self.facts["memory"].append(sum(t.untyped_storage().nbytes() for t in held))
        self.facts["objects"].append(len(held))
        self.facts["graphs"].append(sum(has_graph(t) for t in (*held, *self.parameters)))
        self.facts["aliases"].append(sorted(self._aliases()))

    def _aliases(self) -> Iterator[str]:
        """What state lies in the memory of other state, of the same parameter or another, or of a gradient."""
        owners = {id(p): k for k, p in enumerate(self.parameters)}
        grads = [p.grad for p in self.parameters if p.grad is not None and _lies(p.grad)]
        places = {grad.data_ptr(): "a gradient" for grad in grads}
        for p, values in getattr(self.optimizer, "state", {}).items():
            for name, value in values.items() if isinstance(values, dict) and id(p) in owners else ():
                if not _lies(value) or value.shape != p.shape:
                    continue
                mine = f"{name} of tensor {owners[id(p)]}"
                if value.data_ptr() in places:
                    yield f"{mine} and {places[value.data_ptr()]}"
                places.setdefault(value.data_ptr(), mine)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The settings the case asks for, put back afterwards."""
        threads = [int(name.partition(":")[2]) for name in self.whole if name.startswith("threads:")]
        before = torch.get_num_threads()
        strict = torch.are_deterministic_algorithms_enabled()
        warn = torch.is_deterministic_algorithms_warn_only_enabled()
        if threads:
            torch.set_num_threads(threads[0])
        if "filled" in self.whole:  # torch then fills every tensor of `torch.empty` with NaN
            set_deterministic(True, warn_only=True)
        try:
            yield
        finally:
            if threads:
                torch.set_num_threads(before)
            if "filled" in self.whole:
                set_deterministic(strict, warn_only=warn)
