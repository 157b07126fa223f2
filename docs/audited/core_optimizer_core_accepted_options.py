"""core_optimizer.core_optimizer:CoRe: raised instead of stepping"""
import torch
from core_optimizer.core_optimizer import CoRe

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = CoRe([{'params': [p[0]]}, {'params': [p[1]], 'weight_decay': 0.03}], lr=0.001, foreach=False)
    rows = [[torch.tensor([1.0], dtype=torch.float32), torch.tensor([1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
