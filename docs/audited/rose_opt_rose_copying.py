"""rose_opt:Rose: raised instead of stepping"""
import copy
import torch
from rose_opt import Rose

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.bfloat16))]
    opt = Rose(p, lr=0.007)
    rows = [[torch.tensor([2.0], dtype=torch.bfloat16)], [torch.tensor([2.0], dtype=torch.bfloat16)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: opt, p = copy.deepcopy((opt, p))
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
