"""SingleDeviceMuon: raised instead of stepping"""
import torch
from muon import SingleDeviceMuon

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0, 1.25, 1.5, 1.75, 2.0, 1.0, 1.25, 1.5, 1.75, 2.0, 1.0, 1.25, 1.5, 1.75, 2.0, 1.0, 1.25, 1.5, 1.75, 2.0, 1.0, 1.25, 1.5, 1.75], dtype=torch.float32).reshape((2, 3, 2, 2))), torch.nn.Parameter(torch.tensor([], dtype=torch.float32))]
    opt = SingleDeviceMuon(p, lr=0.02)
    rows = [[torch.tensor([1.0, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875, 2.0, 2.125, 2.25, 2.375, 2.5, 2.625, 2.75, 2.875, 3.0, 3.125, 3.25, 3.375, 3.5, 3.625, 3.75, 3.875], dtype=torch.float32).reshape((2, 3, 2, 2)), torch.tensor([], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
