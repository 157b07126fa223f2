"""torch_optimizer.aggmo:AggMo: theta left its enclosure at step 1, tensor 0, element 0"""
import torch
from torch_optimizer.aggmo import AggMo

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))]
    opt = AggMo(p, lr=0.001, betas=(0.0, 0.5, 0.5))
    rows = [[torch.tensor([2.0], dtype=torch.float64)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].detach().flatten()[0].item()

observed = run()
print('observed', observed, 'expected 0.9979999999999998 to 0.9980000000000002')
raise SystemExit(not 0.9979999999999998 <= observed <= 0.9980000000000002)
