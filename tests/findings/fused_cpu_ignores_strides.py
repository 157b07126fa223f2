"""Fused optimizers on CPU walk memory and ignore strides: a parameter and gradient of different layouts get mixed up.

The parameter below is the transpose of a dense matrix, its gradient is row-major, as autograd and hooks may well
leave it. Element (0, 1) should be stepped by gradient (0, 1); the fused kernels step it by gradient (1, 0), in SGD,
Adam, AdamW and Adagrad alike. Of slices they read and write what lies between: a NaN there becomes state.
On CUDA the same inputs are refused with an error (pytorch/pytorch#106951); on CPU the result is silently wrong.

Report: pytorch/pytorch#106951 and #110758, of CUDA, which refuses; of the wrong results on CPU, none found.
"""

import torch


def wrong(optimizer: type) -> bool:
    after = []
    for fused in (False, True):
        p = torch.zeros(2, 2).t().requires_grad_()
        p.grad = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
        optimizer([p], lr=0.5, fused=fused).step()
        after.append(p.detach() != 0)
    return not torch.equal(*after)


names = ("SGD", "Adam", "AdamW", "Adagrad")
raise SystemExit(int(any(wrong(getattr(torch.optim, name)) for name in names)))
