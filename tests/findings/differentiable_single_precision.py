"""With differentiable=True, Adam and AdamW compute their bias corrections in single precision.

1 - beta**step is taken of the float32 step counter; 1 - 0.999 loses ten bits there. The first step of a
float64 parameter is off by 3e-5 relative, as is that of a float32 one, against the same class without the option.

Report: none found (searched: Adam differentiable=True lr=0 NaN step denominator).
"""

import torch


def first_step(optimizer: type, **option: bool) -> float:
    p = torch.zeros(1, dtype=torch.float64)
    p.grad = torch.ones(1, dtype=torch.float64)
    optimizer([p], lr=0.1, **option).step()
    return p.item()


def error(optimizer: type) -> float:
    return abs(first_step(optimizer, differentiable=True) / first_step(optimizer, foreach=False) - 1)


raise SystemExit(int(max(error(torch.optim.Adam), error(torch.optim.AdamW)) > 2.0**-40))
