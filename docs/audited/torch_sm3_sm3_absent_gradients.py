"""SM3: raised instead of stepping"""
import torch
from SM3.SM3 import SM3

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = SM3(p, lr=0.1)
    rows = [[None, torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
