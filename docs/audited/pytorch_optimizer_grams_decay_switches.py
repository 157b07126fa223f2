"""Grams: with weight_decouple = False nothing decays, though it does with weight_decouple turned at step 12"""
import torch
from pytorch_optimizer.optimizer.grams import Grams

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0, -0.5, 2.0, 0.25], dtype=torch.float32).reshape((2, 2)))]
    opt = (Grams(p, lr=0.001, weight_decay=0.9, weight_decouple=False, foreach=False)) if changed else (Grams(p, lr=0.001, weight_decouple=False, foreach=False))
    rows = [[torch.tensor([2.0, 4.0, -0.25, 2.0], dtype=torch.float32).reshape((2, 2))], [torch.tensor([-1.0, -2.0, 0.125, -1.0], dtype=torch.float32).reshape((2, 2))]] * 6
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g.clone()
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

without, observed = run(False), run(True)
print('observed', observed[:4].tolist(), 'and without the change', without[:4].tolist())
raise SystemExit(bool(((observed == without) | (observed.isnan() & without.isnan())).all()))
