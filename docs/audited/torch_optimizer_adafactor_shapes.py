"""torch_optimizer.adafactor:Adafactor: raised instead of stepping"""
import torch
from torch_optimizer.adafactor import Adafactor

def run():
    p = [torch.nn.Parameter(torch.full((2, 3, 2, 2), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.tensor([], dtype=torch.float32))]
    opt = Adafactor(p)
    rows = [[torch.tensor([1.0, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875, 2.0, 2.125, 2.25, 2.375, 2.5, 2.625, 2.75, 2.875, 3.0, 3.125, 3.25, 3.375, 3.5, 3.625, 3.75, 3.875], dtype=torch.float32).reshape((2, 3, 2, 2)), torch.tensor([], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
