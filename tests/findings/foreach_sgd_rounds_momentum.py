"""Foreach SGD in 16 bits rounds momentum to the tensors' dtype, unless some parameter has its first gradient.

While one buffer is missing, all of them are stepped by `mul_`, which takes momentum as it is; otherwise by
`torch._foreach_mul_`, which rounds it first: 0.9 is 0.8984 in bfloat16. So what one parameter does in its second step
depends on whether another one, of another layer, has had a gradient before. The for-loop form keeps them apart.

Report: none found (searched: _foreach_mul_ bfloat16 scalar rounded; foreach SGD bfloat16 momentum).
"""

import torch


def second_step(other_is_late: bool, foreach: bool) -> list[float]:
    p, other = (torch.zeros(64, dtype=torch.bfloat16, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.SGD([p, other], lr=1.0, momentum=0.9, foreach=foreach)
    for step in (1, 2):
        p.grad = torch.linspace(1, step, 64, dtype=torch.bfloat16) * torch.arange(1, 65, dtype=torch.bfloat16)
        other.grad = None if other_is_late and step == 1 else torch.ones(64, dtype=torch.bfloat16)
        optimizer.step()
    return p.tolist()


differs = {foreach: second_step(False, foreach) != second_step(True, foreach) for foreach in (False, True)}
raise SystemExit(int(differs != {False: False, True: False}))
