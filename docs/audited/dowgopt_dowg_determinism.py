"""dowg.dowg:DoWG: raised instead of stepping"""
import torch
from dowg.dowg import DoWG

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32).reshape(()))]
    opt = DoWG(p)
    rows = [[torch.tensor([2.0], dtype=torch.float32).reshape(())]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
