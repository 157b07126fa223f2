"""Foreach Adafactor steps a list of mixed dtypes with the epsilon of the first dtype.

eps[0] defaults to the machine epsilon of the parameter's dtype; the foreach form sets it at the first group of
tensors of one dtype and keeps it for the next. A float32 parameter beside a float64 one is then clamped at 2.2e-16
instead of 1.2e-7, and steps a hundred times as far under a tiny gradient. The for-loop form keeps them apart.

Report: none found (searched: Adafactor foreach parameters of different dtypes in one list).
"""

import torch


def stepped(*dtypes: torch.dtype, foreach: bool) -> float:
    parameters = [torch.ones(1, dtype=dtype, requires_grad=True) for dtype in dtypes]
    for p in parameters:
        p.grad = torch.full_like(p, 1e-9)
    torch.optim.Adafactor(parameters, lr=0.01, foreach=foreach).step()
    return next(p.item() for p in parameters if p.dtype is torch.float32)


alone = [stepped(torch.float32, foreach=foreach) for foreach in (False, True)]
beside = [stepped(torch.float32, torch.float64, foreach=foreach) for foreach in (False, True)]
print(alone, beside)
raise SystemExit(int(alone != beside))
