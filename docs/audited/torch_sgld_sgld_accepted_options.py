"""torch_sgld.sgld:SGLD: raised instead of stepping"""
import torch
from torch_sgld.sgld import SGLD

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = SGLD([{'params': [p[0]]}, {'params': [p[1]], 'momentum': 0.5}], lr=0.001, foreach=False)
    rows = [[torch.tensor([1.0], dtype=torch.float32), torch.tensor([1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
