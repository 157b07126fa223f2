"""optimi:Lion: raised instead of stepping"""
import torch
from optimi import Lion

def build(p): return Lion(p, lr=0.007, foreach=True)

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.bfloat16))]
    opt = build(p)
    for step, grads in enumerate([[None]], 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().flatten() for x in p])

run()  # raises, and so exits 1
