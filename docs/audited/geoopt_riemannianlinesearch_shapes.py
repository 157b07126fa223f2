"""geoopt.optim.rlinesearch:RiemannianLineSearch: raised instead of stepping"""
import torch
from geoopt.optim.rlinesearch import RiemannianLineSearch

def run():
    p = [torch.nn.Parameter(torch.tensor([], dtype=torch.float32))]
    opt = RiemannianLineSearch(p)
    rows = [[torch.tensor([], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step(lambda: torch.tensor(float(step)))
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
