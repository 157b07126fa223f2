"""Which contracts suppose what of an optimizer, what its source says of it, and a case to try it on."""

from __future__ import annotations

import inspect
import random
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from verifier.case import Case
from verifier.subjects.torch_signature import Signature

ELEMENTWISE = ("nan_stays", "infinity_stays", "partition", "sizes", "large_sizes", "layouts", "all_parameters",
               "threads", "complex_numbers")  # fmt: skip
SHAPED = ("partition", "all_parameters", "sizes", "large_sizes", "complex_numbers", "threads")
ACROSS_TENSORS = ("groups", "added_group", "late_parameters", "order", "mixed_dtypes", "absent_gradients",
                  "many_parameters")  # fmt: skip
STRUCTURE = (*ELEMENTWISE, *ACROSS_TENSORS)
RESUMES = ("resume", "resume_from_file", "resume_from_pickle", "resume_from_copy", "resume_over_others")
REPEATED = (*STRUCTURE, "neighbours", "resume_across", "idle_step", "skipped_step", "schedule", "options_read",
            "maximize", "closure", "saving", "copying", "pickling", "direction", "written_memory", "threads",
            "decay_toward_zero", "shapes", "sparse_gradients", *RESUMES)  # fmt: skip
"""What is asked of two runs of the same steps, which are not the same where steps draw random numbers."""


BASE = frozenset({"add_param_group", "load_state_dict", "state_dict", "zero_grad"})
"""What a class has of its own that stands for torch's base class, or is a copy of it."""


def source(build: Any) -> str:
    """The source of the modules that define the class and its bases, torch's base class apart; "" where unknown.

    Where a class has a step of its own that leaves nothing to its bases, what torch's among them support says nothing,
    nor what copies of torch's base class do.
    """
    found = []
    own = False
    for cls in getattr(build, "__mro__", (build,)):
        module = sys.modules.get(cls.__module__)
        torchs = own and (cls.__module__.startswith("torch.optim") or vars(cls).keys() >= BASE)
        if cls.__module__ in ("builtins", "torch.optim.optimizer") or module is None or torchs:
            continue
        step = inspect.unwrap(vars(cls).get("step", len))  # torch wraps what is inherited, and puts it into the class
        code = getattr(step, "__code__", None) if step.__module__ == cls.__module__ else None
        own = own or (code is not None and "super" not in code.co_names)
        try:
            found.append(inspect.getsource(module))
        except (OSError, TypeError):
            continue
    return "\n".join(found)


def case_of(
    signature: Signature, shapes: Sequence[tuple[int, ...]], hyper: Mapping[str, float], steps: int = 3, **more: Any
) -> Case:
    """A small case of plain values, none of them zero."""
    count = sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes)
    draw = np.random.default_rng(7)
    theta, grads = draw.uniform(0.5, 2, count), draw.uniform(0.25, 2, (steps, count))
    signs = draw.choice((-1.0, 1.0), (steps + 1, count))
    return Case(tuple(shapes), theta * signs[0], grads * signs[1:], dict(hyper), **more)


def of_whole_tensors(signature: Signature) -> Signature:
    """The signature of a class out of whose code was read that an element's step depends on others of its tensor.

    Runs may have shown so already. What they have not shown happens in some steps alone, as where a mean is bounded.
    """
    if "partition" in signature.exempt:
        return signature
    words = "reads whole tensors: in some steps an element depends on the others of its tensor"
    exempt = {**dict.fromkeys(ELEMENTWISE, "its step reads whole tensors"), **signature.exempt}
    return replace(signature, exempt=exempt, notes=(*signature.notes, ("convention", words)))


def takes_closure(optimizer: Any) -> bool:
    """Whether step() can be called with an argument; True where nothing is known."""
    try:
        inspect.signature(optimizer.step).bind(None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def torchs_own(load: Any) -> bool:
    """Whether a load_state_dict is torch's, or leaves the loading to torch's."""
    if load is torch.optim.Optimizer.load_state_dict:
        return True
    try:
        return re.search(r"super\([^()]*\)\.load_state_dict\b", inspect.getsource(load)) is not None
    except (OSError, TypeError):
        return False


def drawn_elsewhere() -> tuple[Any, Any]:
    """How far the generators of numpy and Python have come."""
    return np.random.get_state(legacy=False)["state"]["pos"], random.getstate()[1][-1]
