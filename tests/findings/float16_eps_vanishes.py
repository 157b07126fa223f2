"""In float16 the default eps of most optimizers rounds to zero, and a zero gradient makes the parameter NaN.

sqrt(v) + eps is computed in float16, where 1e-8 and 1e-10 are below half the smallest subnormal: 0 / (0 + 0).
The fused kernels, which keep the sum in float32, are right, so implementations disagree. float16 is among the
supported dtypes and the documentation says of eps that it is there for numerical stability.

No bug: the formula is right with an eps that float16 holds; the report wishes for other defaults.

Report: pytorch/pytorch#147437.
"""

import torch


def survives(name: str) -> bool:
    p = torch.ones(1, dtype=torch.float16, requires_grad=True)
    p.grad = torch.zeros(1, dtype=torch.float16)
    getattr(torch.optim, name)([p], foreach=False, weight_decay=0).step()
    return p.item() == 1.0


names = ("Adam", "AdamW", "Adamax", "NAdam", "Adagrad", "RMSprop")
raise SystemExit(int(not all(survives(name) for name in names)))
