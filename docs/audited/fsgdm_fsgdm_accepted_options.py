"""fsgdm.fsgdm:FSGDM: raised instead of stepping"""
import torch
from fsgdm.fsgdm import FSGDM

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = FSGDM(p, lr=0.1, sigma=2)
    rows = [[torch.tensor([1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
