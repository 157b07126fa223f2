"""heavyball:PSGDLRA: raised instead of stepping"""
import torch
from heavyball import PSGDLRA

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = PSGDLRA([{'params': [p[0], p[1], p[2]], 'warmup_steps': 0}], lr=0.001, warmup_steps=3)
    rows = [[torch.tensor([2.0], dtype=torch.float32), torch.tensor([2.0], dtype=torch.float32), torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        grads = [g if g is None else 1 * g for g in grads]
        opt.grad_scale, opt.found_inf = torch.tensor(1.), torch.tensor(0.)
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
