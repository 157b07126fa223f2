"""timm.optim.radam:RAdamLegacy: theta left its enclosure at step 1, tensor 0, element 0"""
import torch
from timm.optim.radam import RAdamLegacy

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))]
    opt = RAdamLegacy(p, lr=0.001, betas=(0.5, 0.5))
    rows = [[torch.tensor([2.0], dtype=torch.float64)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].detach().flatten()[0].item()

observed = run()
print('observed', observed, 'expected', 0.998)
raise SystemExit(not observed == 0.998)
