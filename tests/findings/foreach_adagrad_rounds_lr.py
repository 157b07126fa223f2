"""Foreach Adagrad rounds its learning rate to 16 bits when there is weight decay, and does not when there is none.

With weight_decay (or maximize) the gradient list is a copy, and `torch._foreach_mul_` multiplies it in place; without,
`torch._foreach_mul` makes a new list. In bfloat16 and float16 the in-place form rounds the scalar -lr to the tensors'
dtype first, the other does not. So the same gradient, once with the decay in it and once decayed by the optimizer,
gives different parameters, and only in the foreach form.

Report: none found (searched: foreach Adagrad bfloat16 lr rounding _foreach_mul_).
"""

import torch


def step(grad: float, weight_decay: float, foreach: bool) -> float:
    p = torch.ones(1, dtype=torch.bfloat16)
    p.grad = torch.full((1,), grad, dtype=torch.bfloat16)
    torch.optim.Adagrad([p], lr=0.3, eps=0.125, weight_decay=weight_decay, foreach=foreach).step()
    return p.item()


cases = [g / 16 for g in range(1, 64)]
differ = {
    foreach: any(step(g, 0.5, foreach) != step(g + 0.5, 0.0, foreach) for g in cases) for foreach in (False, True)
}
raise SystemExit(int(differ != {False: False, True: False}))
