"""heavyball:HeavyKLSOAP: raised instead of stepping"""
import torch
from heavyball import HeavyKLSOAP

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32).reshape(()))]
    opt = HeavyKLSOAP(p, lr=0.003, weight_decay=0.0)
    rows = [[torch.tensor([0.0], dtype=torch.float32).reshape(())]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
