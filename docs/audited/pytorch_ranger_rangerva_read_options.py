"""RangerVA: n_sma_threshhold is taken and never read: nothing but the constructor names it at step 4"""
import torch
from pytorch_ranger.ranger913A import RangerVA

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0, -0.5, 2.0, 0.25], dtype=torch.float32).reshape((2, 2)))]
    opt = (RangerVA(p, lr=0.001, n_sma_threshhold=2)) if changed else (RangerVA(p, lr=0.001))
    rows = [[torch.tensor([2.0, 4.0, -0.25, 2.0], dtype=torch.float32).reshape((2, 2))]] * 4
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

without, observed = run(False), run(True)
print('observed', observed[:4].tolist(), 'and without the change', without[:4].tolist())
raise SystemExit(bool(((observed == without) | (observed.isnan() & without.isnan())).all()))
