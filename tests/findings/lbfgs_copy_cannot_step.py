"""A deep copy of LBFGS, or one that was pickled, cannot step: it has lost `_params`.

Optimizer.__getstate__ keeps defaults, state and param_groups alone, and LBFGS reads its parameters from an attribute
of its own: AttributeError: 'LBFGS' object has no attribute '_params'. Every other optimizer of torch.optim survives.

Report: none found (searched: LBFGS deepcopy pickle _params attribute error).
"""

import torch

p = torch.zeros(1, requires_grad=True)
p.grad = torch.ones(1)
copy = __import__("copy").deepcopy(torch.optim.LBFGS([p]))
try:
    copy.step(lambda: torch.zeros(()))
except AttributeError:
    raise SystemExit(1) from None
raise SystemExit(0)
