"""SingleDeviceMuon: .grad was changed by the step at step 1, tensor 0, element 0"""
import torch
from muon import SingleDeviceMuon

def run():
    p = [torch.nn.Parameter(torch.full((2, 2), 1.0, dtype=torch.float32))]
    opt = SingleDeviceMuon(p, lr=0.02)
    rows = [[torch.full((2, 2), 2.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].grad.detach().flatten()[0].item()

observed = run()
print('observed', observed, 'expected', 2.0)
raise SystemExit(not observed == 2.0)
