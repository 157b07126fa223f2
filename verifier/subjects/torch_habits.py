"""What a person should know of an optimizer and nothing promises: conventions, and notes that are harmless alone."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from verifier.case import Case, Group, Trajectory
from verifier.floats import FORMATS, FP16, same_bits
from verifier.strategies import IN_SINGLE, is_eps
from verifier.subjects.torch_conventions import case_of, torchs_own
from verifier.subjects.torch_foreign import MISSPELT, Foreign
from verifier.subjects.torch_life import Life
from verifier.subjects.torch_signature import Option, Signature
from verifier.subjects.torch_symmetry import idle_options, moves_at_rest, prefers_a_sign

Taken = Callable[[dict[str, float]], bool]
Note = tuple[str, str]


def habits(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """The conventions and notes, as (kind, sentence). `taken`: whether the constructor and a step take some options."""
    own = (_resting, _decayed_shapes, _checks, _groups, _swallows_nan, _vanishing_eps, _single_precision, _shares)
    for look in (*own, moves_at_rest, prefers_a_sign, idle_options):
        try:
            yield from look(signature, shape, taken)
        except Exception:  # foreign code away from its defaults: the contracts will meet it again
            continue


def held(option: Option, made: Callable[[Mapping[str, float]], Any]) -> bool:
    """Whether a parameter group holds an option by another name than the constructor's, as `learning_rate` by `lr`.

    `made` builds the optimizer with some options away from their defaults.
    """
    one, two = (made({option.name: v}).param_groups[0] for v in option.values[:2])
    return any(repr(one[k]) != repr(two.get(k)) for k in one if k != "params")


def _ran(signature: Signature, case: Case, dtype: str = "") -> Trajectory:
    return Life(Foreign(signature, FORMATS[dtype or signature.widest]), case).run()


def _resting(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """lr = 0."""
    if "lr" not in signature.defaults:
        return
    seen = _ran(signature, case_of(signature, [shape], {**signature.configurations[0], "lr": 0.0})).theta
    if np.isnan(seen).any():
        yield "note", "lr = 0 is accepted and makes parameters NaN"
    elif not same_bits(seen[-1], seen[0]).all():
        yield "convention", "lr = 0 still moves parameters"


def _decayed_shapes(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """Weight decay that acts on parameters of some numbers of dimensions alone."""
    if not signature.decays:
        return
    acts = {}
    for other in ((3,), (3, 2), (2, 3, 2, 2)):  # of single numbers a ratio of norms hides it
        if not signature.least_dimensions <= len(other) <= signature.most_dimensions:
            continue
        case = case_of(signature, [other], {**signature.defaults, **signature.decays}, 2)
        off = case.with_(hyper={**case.hyper, **dict.fromkeys(signature.decays, 0.0)})
        acts[len(other)] = not same_bits(_ran(signature, case).theta, _ran(signature, off).theta).all()
    if any(acts.values()) and not all(acts.values()):
        counts = [str(count) for count, decayed in acts.items() if not decayed]
        words = f"{' and '.join(counts)} dimension{'s' if counts != ['1'] else ''}"
        yield "convention", f"weight decay leaves parameters of {words} as they are, and acts on others"


def _checks(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """Values that the constructor takes and nobody can mean."""
    odd = [*((name, -1.0) for name in ("lr", "weight_decay", "eps")), ("lr", math.nan), ("weight_decay", math.nan)]
    known = ((name, value) for name, value in odd if name in signature.defaults)
    accepted = [f"{n} = {v:g}" for n, v in known if taken({**signature.defaults, n: v})]
    if accepted:
        yield "note", f"accepts {', '.join(accepted)}"
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(signature.build).parameters.values()):
        parameters = Foreign(signature, FORMATS[signature.widest]).parameters(
            case_of(signature, [shape], signature.defaults)
        )
        signature.build(parameters, **signature.arguments(signature.defaults), **{MISSPELT: 0.1})
        yield "note", "a misspelt option is swallowed by **kwargs"


def _groups(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """What the constructor refuses, taken as an option of a group."""
    if "lr" not in signature.group_options or taken({**signature.defaults, "lr": -1.0}):
        return
    case = case_of(signature, [shape], signature.defaults)
    _ran(signature, case.with_(groups=(Group((0,), {"lr": -1.0}),)))
    yield "note", "options of parameter groups are not checked: a group takes lr = -1, which the constructor refuses"


def _swallows_nan(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """A gradient of NaN that leaves its parameter finite, whatever becomes of the state, where others move it."""
    case = case_of(signature, [shape], signature.defaults)
    grads = case.grads.copy()
    grads[0, 0] = -16.0 - case.grads[0, 0]
    if same_bits(_ran(signature, case).theta, _ran(signature, case.with_(grads=grads)).theta).all():
        return  # it is read later, if ever
    grads[0, 0] = math.nan
    if np.isfinite(_ran(signature, case.with_(grads=grads)).theta).all():
        yield "note", "a gradient of NaN leaves the parameter finite, so that nobody learns of it there"


def _vanishing_eps(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """A zero gradient that makes NaN of a float16 parameter, as eps is zero there."""
    small = [o for o in signature.options if is_eps(o.name) and 0 < o.default < FP16.tiny / 2]
    if not small or "forloop float16" in signature.unavailable:
        return
    case = case_of(signature, [shape], signature.defaults)
    grads = case.grads.copy()
    grads[:, 0] = 0.0
    if np.isnan(_ran(signature, case.with_(grads=grads), "float16").theta[:, 0]).any():
        words = f"in float16 {small[0].name} = {small[0].default:g} rounds to zero"
        yield "note", f"{words}, and a gradient of zero makes the parameter NaN"


def _single_precision(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """Steps, or scalars of the state, that have fewer digits than float64 parameters, and need them."""
    if signature.widest != "float64":
        return
    life = Life(Foreign(signature, FORMATS[signature.widest]), case_of(signature, [shape], signature.defaults))
    theta = life.run().theta
    if same_bits(theta[1:], FORMATS["float32"].round(theta[1:])).all():
        yield "convention", "steps float64 parameters in float32: they lose the digits that float32 has not"
        return
    state = next((s for s in life.optimizer.state.values() if isinstance(s, dict)), {})
    single = {n: v for n, v in state.items() if isinstance(v, torch.Tensor) and v.dtype is torch.float32}
    names = sorted(n for n, v in single.items() if v.numel() == 1 and not float(v).is_integer())
    if names:
        yield "note", f"keeps {', '.join(names)} {IN_SINGLE}"
    if wide := sorted(n for n, v in single.items() if v.numel() > 1 and v.shape == shape):
        yield "note", f"keeps {', '.join(wide)} of float64 parameters in float32, with the digits that has"


def _shares(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """State that a load_state_dict of its own takes from a state_dict without a copy, where torch's would cast it."""
    load = getattr(signature.build, "load_state_dict", torch.optim.Optimizer.load_state_dict)
    if load is torch.optim.Optimizer.load_state_dict or not torchs_own(load):  # a contract asks of what is not torch's
        return
    case = case_of(signature, [shape], signature.defaults).with_(events={2: ("resume:deepcopy",)})
    life = Life(Foreign(signature, FORMATS["bfloat16"]), case)
    life.run()
    state = next((s for s in life.optimizer.state.values() if isinstance(s, dict)), {})
    wider = {n for n, v in state.items() if isinstance(v, torch.Tensor) and v.dim() and v.dtype is torch.float32}
    if names := sorted(wider & {name for shared in life.facts["shared"] for name in shared}):
        yield "note", f"load_state_dict takes {', '.join(names)} without a copy: later steps change what was loaded"
