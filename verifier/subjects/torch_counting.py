"""What an optimizer keeps for all parameters at once: counters of steps, and estimates made of everyone's gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from verifier.case import Case
from verifier.floats import FORMATS
from verifier.subjects.torch_foreign import Foreign
from verifier.subjects.torch_life import Life
from verifier.subjects.torch_signature import Signature

NAMES = frozenset({"step", "steps", "_step", "t", "k", "num_steps", "global_step"})
"""What counters are called, whatever is in them."""


@dataclass(frozen=True)
class Kept:
    """Names of what is kept once: `counters` go with the steps, `estimates` with the gradients.

    `in_groups`: each group has a counter of its own. `each`: steps are counted for each parameter as well.
    """

    counters: tuple[str, ...]
    in_groups: bool
    each: bool
    estimates: tuple[str, ...]


def kept(signature: Signature, case: Case) -> Kept:
    """What is kept once, as seen after a step more, and after steps along other gradients."""
    options = {option.argument for option in signature.options} | {"initial_lr"}
    shorter = case.with_(grads=case.grads[:-1])
    short, after, other = (_after(signature, one) for one in (shorter, case, case.with_(grads=case.grads * -1.75)))
    fewer, more, unlike = (_shared(optimizer, options) for optimizer in (short, after, other))
    found = {name for name, value in more.items() if name in fewer and value - fewer[name] == 1}
    group = set(after.param_groups[0]) if getattr(after, "param_groups", None) else set()
    found |= {"train_mode", *NAMES} & (group | set(vars(after)))
    estimates = {name for name, value in more.items() if name not in found and value != unlike.get(name, value)}
    return Kept(tuple(sorted(found)), bool(found & group), _counts_each(short, after), tuple(sorted(estimates)))


def rewritten(signature: Signature, case: Case) -> tuple[str, ...]:
    """The options of its groups that a few steps write anew by themselves, schedules within the step among them."""
    subject = Foreign(signature, FORMATS["float64"])
    fresh = subject.optimizer(case, subject.parameters(case)).param_groups[0]
    after = _after(signature, case).param_groups[0]
    names = {option.argument for option in signature.options} & set(fresh) & set(after)
    return tuple(sorted(name for name in names if _number(fresh[name]) != _number(after[name])))


def _after(signature: Signature, case: Case) -> Any:
    """The optimizer after the steps of a case."""
    life = Life(Foreign(signature, FORMATS["float64"]), case)
    life.run()
    return life.optimizer


def _shared(optimizer: Any, options: set[str]) -> dict[str, float]:
    """The single numbers in attributes, in groups, and in the state under a name instead of a parameter."""
    groups = getattr(optimizer, "param_groups", None) or [{}]
    state = getattr(optimizer, "state", {})
    named = {k: v for k, v in state.items() if isinstance(k, str)} if isinstance(state, Mapping) else {}
    everything = {**vars(optimizer), **named, **groups[0]}
    found = {str(name): _number(value) for name, value in everything.items() if name not in options}
    return {name: value for name, value in found.items() if value is not None and not name.startswith("_step_count")}


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
