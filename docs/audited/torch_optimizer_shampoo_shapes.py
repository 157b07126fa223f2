"""torch_optimizer.shampoo:Shampoo: raised instead of stepping"""
import torch
from torch_optimizer.shampoo import Shampoo

def run():
    p = [torch.nn.Parameter(torch.tensor([], dtype=torch.float32))]
    opt = Shampoo(p, lr=0.1)
    rows = [[torch.tensor([], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
