"""torch_optimizer.swats:SWATS: raised instead of stepping"""
import torch
from torch_optimizer.swats import SWATS

def run():
    p = [torch.nn.Parameter(torch.full((3, 5), 1.0, dtype=torch.float32).mT.contiguous().mT), torch.nn.Parameter(torch.full((7,), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((2, 3, 2, 2), 1.0, dtype=torch.float32).mT.contiguous().mT)]
    opt = SWATS(p, lr=0.001)
    rows = [[torch.full((3, 5), 2.0, dtype=torch.float32), torch.full((7,), 2.0, dtype=torch.float32), torch.full((2, 3, 2, 2), 2.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
