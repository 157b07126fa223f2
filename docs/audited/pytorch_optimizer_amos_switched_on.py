"""Amos: raised instead of stepping"""
import torch
from pytorch_optimizer.optimizer.amos import Amos

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = Amos(p, lr=0.001, foreach=False)
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: [g.update({'momentum': 0.5}) for g in opt.param_groups]
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
