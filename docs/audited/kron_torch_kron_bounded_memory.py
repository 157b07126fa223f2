"""kron_torch.kron:Kron: raised instead of stepping"""
import torch
from kron_torch.kron import Kron

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32).reshape(()))]
    opt = Kron(p, lr=0.0003)
    rows = [[torch.tensor([2.0], dtype=torch.float32).reshape(())]] * 12
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
