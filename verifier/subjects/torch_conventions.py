"""Which contracts suppose what of an optimizer, and what its source says of it."""

from __future__ import annotations

import inspect
import sys
from typing import Any

ELEMENTWISE = ("nan_stays", "infinity_stays", "partition", "sizes", "large_sizes", "layouts", "all_parameters",
               "threads", "complex_numbers", "sparse_gradients")  # fmt: skip
SHAPED = ("partition", "all_parameters", "sizes", "large_sizes", "complex_numbers", "threads")
ACROSS_TENSORS = ("groups", "added_group", "late_parameters", "order", "mixed_dtypes", "absent_gradients")
STRUCTURE = (*ELEMENTWISE, *ACROSS_TENSORS)
RESUMES = ("resume", "resume_from_file", "resume_from_pickle", "resume_from_copy", "resume_over_others")


def source(build: Any) -> str:
    """The source of the modules that define the class and its bases, torch's base class apart; "" where unknown."""
    found = []
    for cls in getattr(build, "__mro__", (build,)):
        module = sys.modules.get(cls.__module__)
        if cls.__module__ in ("builtins", "torch.optim.optimizer") or module is None:
            continue
        try:
            found.append(inspect.getsource(module))
        except (OSError, TypeError):
            continue
    return "\n".join(found)
