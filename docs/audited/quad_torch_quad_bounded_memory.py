"""quad_torch.quad:QUAD: raised instead of stepping"""
import torch
from quad_torch.quad import QUAD

def run():
    p = [torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((2, 2), 1.0, dtype=torch.float32))]
    opt = QUAD(p, lr=0.001)
    rows = [[torch.full((2,), 2.0, dtype=torch.float32), torch.full((2, 2), 2.0, dtype=torch.float32)]] * 12
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
