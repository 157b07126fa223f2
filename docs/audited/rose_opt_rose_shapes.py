"""rose_opt:Rose: raised instead of stepping"""
import torch
from rose_opt import Rose

def run():
    p = [torch.nn.Parameter(torch.tensor([], dtype=torch.float32))]
    opt = Rose(p, lr=0.007)
    rows = [[torch.tensor([], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
