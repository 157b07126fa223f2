"""optimi:Adam: raised instead of stepping"""
import torch
from optimi import Adam

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = Adam(p, lr=1.0, eps=1e-10, decouple_wd=True, gradient_release=True, foreach=False)
    rows = [[torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 1: [g.update({'lr': 0.007, 'weight_decay': 0.5, 'eps': 1e-06, 'decouple_wd': False, 'decouple_lr': True, 'gradient_release': False}) for g in opt.param_groups]
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
