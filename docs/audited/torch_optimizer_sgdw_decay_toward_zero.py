"""torch_optimizer.sgdw:SGDW: weight decay moves a parameter away from zero at step 1, tensor 0, element 0"""
import torch
from torch_optimizer.sgdw import SGDW

def run():
    p = [torch.nn.Parameter(torch.tensor([0.0], dtype=torch.float32))]
    opt = SGDW(p, lr=0.001, momentum=0.5, weight_decay=0.5)
    rows = [[torch.tensor([0.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].detach().flatten()[0].item()

observed = run()
print('observed', observed, 'it was', 0.0)
raise SystemExit((observed - 0.0) * observed > 0)
