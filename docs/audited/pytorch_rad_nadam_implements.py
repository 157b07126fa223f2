"""NAdam: theta left its enclosure at step 1, tensor 0, element 0"""
import torch
from rad.optim.nadam import NAdam

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))]
    opt = NAdam(p, lr=0.002)
    rows = [[torch.tensor([2.0], dtype=torch.float64)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].detach().flatten()[0].item()

observed = run()
print('observed', observed, 'expected 0.9978870964278949 to 0.997887096427895')
raise SystemExit(not 0.9978870964278949 <= observed <= 0.997887096427895)
