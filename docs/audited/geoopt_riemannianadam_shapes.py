"""RiemannianAdam: raised instead of stepping"""
import torch
from geoopt.optim.radam import RiemannianAdam

def run():
    p = [torch.nn.Parameter(torch.tensor([], dtype=torch.float32))]
    opt = RiemannianAdam(p, lr=0.001, foreach=False)
    rows = [[torch.tensor([], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
