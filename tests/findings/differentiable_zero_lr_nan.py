"""With differentiable=True, Adam and AdamW turn a parameter with zero gradient into NaN when lr is 0.

The learning rate is folded into the denominator, sqrt(v) / (sqrt(1 - beta2**t) * -lr) + eps / -lr: at lr = 0, which
constructors accept and warm-up schedules begin with, a zero second moment gives 0 / 0. A step of length 0 should
leave the parameter in place, as it does without the option.

Report: pytorch/pytorch#126514, of the capturable form of the same line; pull request #186444.
"""

import torch


def stays(optimizer: type) -> bool:
    p = torch.ones(1)
    p.grad = torch.zeros(1)
    optimizer([p], lr=0.0, differentiable=True).step()
    return p.item() == 1.0


raise SystemExit(int(not (stays(torch.optim.Adam) and stays(torch.optim.AdamW))))
