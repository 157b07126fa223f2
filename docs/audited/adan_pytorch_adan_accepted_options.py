"""adan_pytorch.adan:Adan: raised instead of stepping"""
import torch
from adan_pytorch.adan import Adan

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = Adan(p, lr=0.001, betas=(0.0, 0.08, 0.01))
    rows = [[torch.tensor([1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
