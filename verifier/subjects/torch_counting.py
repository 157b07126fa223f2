"""What an optimizer keeps for all parameters at once: counters of steps, and estimates made of everyone's gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from verifier.case import Case
from verifier.floats import FORMATS, same_bits
from verifier.subjects.torch_conventions import case_of
from verifier.subjects.torch_foreign import Foreign
from verifier.subjects.torch_life import Life
from verifier.subjects.torch_signature import Signature

NAMES = frozenset({"step", "steps", "_step", "t", "k", "num_steps", "global_step"})
"""What counters are called, whatever is in them."""

MODE = "train_mode"
"""What schedule-free optimizers call whether parameters are where gradients are taken: no counter, but kept once."""

INTERFACE = frozenset({"defaults", "param_groups", "state"})
"""Attributes of every optimizer."""


@dataclass(frozen=True)
class Kept:
    """Names of what is kept once: `counters` go with the steps, `estimates` with the gradients.

    `in_groups`: each group has a counter of its own. `each`: steps are counted for each parameter as well, and it is
    not so that the steps depend on both counts: a step that reads the common one alone, beside its own, is a mistake.
    """

    counters: tuple[str, ...]
    in_groups: bool
    each: bool
    estimates: tuple[str, ...]
    both: bool = False  # whether steps depend on the common counters and on those of each parameter

    @property
    def told(self) -> tuple[str, str]:
        """Why contracts about missing gradients say nothing where steps are counted once; and the convention."""
        names = ", ".join(name for name in self.counters if name != MODE or len(self.counters) == 1)
        if self.both:
            why = "it counts steps for a group or the whole optimizer, and for each parameter"
            return why, f"counts steps in {names}, and for each parameter: its steps depend on both"
        why = "it counts steps for a group or the whole optimizer, not for each parameter"
        return why, f"counts steps in {names}, not for each parameter"


def kept(signature: Signature, case: Case) -> Kept:
    """What is kept once, as seen after a step more, and after steps along other gradients."""
    options = {option.argument for option in signature.options} | {"initial_lr"}
    shorter = case.with_(grads=case.grads[:-1])
    factors = np.resize((-1.75, 1.5, 0.5), case.grads.shape)  # of unlike signs: some steps read nothing else
    unlike_signs = case.with_(grads=case.grads * factors)
    short, after, other = (_after(signature, one) for one in (shorter, case, unlike_signs))
    fewer, more, unlike = (_shared(optimizer, options) for optimizer in (short, after, other))
    found = {name for name, value in more.items() if name in fewer and value - fewer[name] == 1}
    group = set(after.param_groups[0]) if getattr(after, "param_groups", None) else set()
    found |= {MODE, *NAMES} & (group | set(vars(after))) - options
    estimates = {name for name, value in more.items() if name not in found and value != unlike.get(name, value)}
    found -= (tables := _of_each(signature, case, after, found))
    each = bool(tables) or _counts_each(short, after)
    both = bool(found) and each and all(_depends(signature, case, ahead) for ahead in (_all_ahead(found), _each_ahead))
    return Kept(tuple(sorted(found)), bool(found & group), each and not both, tuple(sorted(estimates)), both)


def _of_each(signature: Signature, case: Case, after: Any, names: set[str]) -> set[str]:
    """Those of the counters that are tables with an entry for each parameter."""
    if not any(isinstance(vars(after).get(name), dict | list) for name in names):
        return set()
    twice = case.with_(shapes=case.shapes * 2, theta=np.tile(case.theta, 2), grads=np.tile(case.grads, (1, 2)))
    kept_of_two = vars(_after(signature, twice))
    tables = {name for name in names if isinstance(kept_of_two.get(name), dict | list)}
    return {name for name in tables if len(kept_of_two[name]) == len(twice.shapes)}


AHEAD = 3
"""How far a counter is put ahead to see whether a step depends on it."""


class _Ahead(Life):
    """A life in which something is done to the optimizer before its last step."""

    def __init__(self, subject: Foreign, case: Case, change: Callable[[Any], None]) -> None:
        super().__init__(subject, case)
        self._change = change

    def _schedule(self, step: int) -> None:
        super()._schedule(step)
        if step == self.case.steps:
            self._change(self.optimizer)


def _depends(signature: Signature, case: Case, ahead: Callable[[Any], None]) -> bool:
    """Whether the last step is another one after `ahead`."""
    subject = Foreign(signature, FORMATS[signature.widest])
    plain = Life(subject, case).run().theta
    return not same_bits(_Ahead(subject, case, ahead).run().theta, plain).all()


def _all_ahead(names: set[str]) -> Callable[[Any], None]:
    """What puts the common counters of these names ahead."""

    def change(optimizer: Any) -> None:
        state = optimizer.state if isinstance(getattr(optimizer, "state", None), dict) else {}
        for holder in (vars(optimizer), state, *getattr(optimizer, "param_groups", ())):
            for name in names & {name for name in holder if isinstance(name, str)}:
                holder[name] = _further(holder[name])

    return change


def _each_ahead(optimizer: Any) -> None:
    """Puts the counters of each parameter ahead: whole numbers of its state."""
    for values in optimizer.state.values():
        for name, value in values.items() if isinstance(values, dict) else ():
            number = _number(value)
            if number is not None and number.is_integer():
                values[name] = _further(value)


def _further(value: Any) -> Any:
    if isinstance(value, dict):
        further = copy.copy(value)
        further.update({name: _further(part) for name, part in value.items()})
        return further
    if isinstance(value, list):
        return [_further(part) for part in value]
    return value + AHEAD if _number(value) is not None else value


def rewritten(signature: Signature, case: Case) -> tuple[str, ...]:
    """The options of its groups that a few steps write anew by themselves, schedules within the step among them."""
    subject = Foreign(signature, FORMATS[signature.widest])
    fresh = subject.optimizer(case, subject.parameters(case)).param_groups[0]
    after = _after(signature, case).param_groups[0]
    names = {option.argument for option in signature.options} & set(fresh) & set(after)
    return tuple(sorted(name for name in names if _number(fresh[name]) != _number(after[name])))


def _after(signature: Signature, case: Case) -> Any:
    """The optimizer after the steps of a case."""
    life = Life(Foreign(signature, FORMATS[signature.widest]), case)
    life.run()
    return life.optimizer


def _shared(optimizer: Any, options: set[str]) -> dict[str, float]:
    """The single numbers in attributes, in groups, and in the state under a name instead of a parameter."""
    groups = getattr(optimizer, "param_groups", None) or [{}]
    state = getattr(optimizer, "state", {})
    named = {k: v for k, v in state.items() if isinstance(k, str)} if isinstance(state, Mapping) else {}
    everything = {**vars(optimizer), **named, **groups[0]}
    found = {
        str(name): next(_numbers(value), None) for name, value in everything.items() if name not in options | INTERFACE
    }
    return {name: value for name, value in found.items() if value is not None and not name.startswith("_step_count")}


def _numbers(value: Any) -> Iterator[float]:
    """A single number, or those in a dictionary or list: counters of several groups, or tensors."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
    yield from (number for number in map(_number, parts) if number is not None)


def _number(value: Any) -> float | None:
    """The value of a single number, None for anything else."""
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _counts_each(short: Any, after: Any) -> bool:
    """Whether the state of a parameter has a counter: a number that a step more makes one more, or one by its name."""
    fewer, more = (_of_parameter(optimizer) for optimizer in (short, after))
    for name, value in more.items():
        now, before = _number(value), _number(fewer.get(name))
        if now is not None and before is not None and now - before == 1:
            return True
        if now is None and name in NAMES:
            return True
    return False


def _of_parameter(optimizer: Any) -> Mapping[str, Any]:
    """The state of the first parameter that has some."""
    state = getattr(optimizer, "state", {})
    values = state.values() if isinstance(state, Mapping) else ()
    return next((v for v in values if isinstance(v, Mapping) and v), {})


def counter_formats(known: Signature) -> set[torch.dtype]:
    """The dtypes of single numbers that are tensors in the state of a parameter; formats of 16 bits stop at 2048."""
    case = case_of(known, [(4, 3) if known.least_dimensions > 1 else (5,)], known.defaults)
    try:
        life = Life(Foreign(known, FORMATS[known.widest]), case)
        life.run()
    except Exception:  # foreign code: the contracts will meet it again
        return set()
    kept = getattr(life.optimizer, "state", None)
    values = [v for state in kept.values() if isinstance(state, dict) for v in state.values()] if kept else []
    return {v.dtype for v in values if isinstance(v, Tensor) and v.numel() == 1}
