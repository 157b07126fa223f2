"""optimi.adam:Adam: raised instead of stepping"""
import torch
from optimi.adam import Adam

def run():
    p = [torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]
    opt = Adam([{'params': [p[0]]}, {'params': [p[1]], 'weight_decay': 0.5, 'decouple_lr': True}], lr=0.007, foreach=False)
    rows = [[torch.full((2,), 1.0, dtype=torch.float32), torch.full((2,), 1.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
