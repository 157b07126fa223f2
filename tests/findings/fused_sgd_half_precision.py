"""Fused SGD on CPU does not move float16 and bfloat16 parameters of 16 elements or more.

The vectorised body of the kernel computes the step and never stores it; only the remainder (numel modulo the vector
width) is updated. Reported upstream as pytorch/pytorch#191763, fixed after 2.13.

Report: pytorch/pytorch#191763.
"""

import torch


def moved(dtype: torch.dtype) -> bool:
    p = torch.zeros(64, dtype=dtype, requires_grad=True)
    p.grad = torch.ones(64, dtype=dtype)
    torch.optim.SGD([p], lr=1.0, fused=True).step()
    return bool((p == -1).all())


raise SystemExit(int(not all(moved(dtype) for dtype in (torch.float16, torch.bfloat16))))
