"""SingleDeviceMuon: raised instead of stepping"""
import torch
from muon import SingleDeviceMuon

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = SingleDeviceMuon(p, lr=0.02)
    rows = [[None]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
