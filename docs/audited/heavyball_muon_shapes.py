"""heavyball:Muon: raised instead of stepping"""
import torch
from heavyball import Muon

def run():
    p = [torch.nn.Parameter(torch.tensor([], dtype=torch.float32).reshape((3, 0))), torch.nn.Parameter(torch.full((2, 2), 1.0, dtype=torch.float32))]
    opt = Muon(p, lr=0.0025)
    rows = [[torch.tensor([], dtype=torch.float32).reshape((3, 0)), torch.tensor([1.0, 1.125, 1.25, 1.375], dtype=torch.float32).reshape((2, 2))]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
