"""rad.optim.rad:RAD: raised instead of stepping"""
import torch
from rad.optim.rad import RAD

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = RAD(p, lr=0.001, order=2, betas=(0.0, 0.999))
    rows = [[torch.tensor([1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
