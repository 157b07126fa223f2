"""heavyball:HeavyKLSOAP: raised instead of stepping"""
import torch
from heavyball import HeavyKLSOAP

def run():
    p = [torch.nn.Parameter(torch.full((3, 1), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((3, 1), 1.0, dtype=torch.float32).to(torch.float64))]
    opt = HeavyKLSOAP(p, lr=0.003, merge_dims=False)
    rows = [[torch.full((3, 1), 2.0, dtype=torch.float32), torch.full((3, 1), 2.0, dtype=torch.float32).to(torch.float64)], [torch.full((3, 1), 2.0, dtype=torch.float32), torch.full((3, 1), 2.0, dtype=torch.float32).to(torch.float64)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
