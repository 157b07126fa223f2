"""AdamP: raised instead of stepping"""
import torch
from pytorch_optimizer.optimizer.adamp import AdamP

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.full((2, 2, 2, 2), 1.0, dtype=torch.float32))]
    opt = AdamP(p, lr=0.001, foreach=False)
    rows = [[torch.tensor([2.0], dtype=torch.float32), torch.full((2, 2, 2, 2), 2.0, dtype=torch.float32).mT.contiguous().mT]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
