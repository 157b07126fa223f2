"""pytorch_optimizer.optimizer.psgd:Kron: raised instead of stepping"""
import torch
from pytorch_optimizer.optimizer.psgd import Kron

def run():
    p = [torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float64))]
    opt = Kron(p, lr=0.001, min_ndim_triangular=1, momentum_into_precondition_update=False)
    rows = [[torch.full((2,), 1.0, dtype=torch.float64)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
