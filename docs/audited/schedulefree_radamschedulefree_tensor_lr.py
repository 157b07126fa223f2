"""schedulefree.radam_schedulefree:RAdamScheduleFree: a tensor lr acts otherwise than a float at step 1, tensor 0"""
import torch
from schedulefree.radam_schedulefree import RAdamScheduleFree

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = (RAdamScheduleFree(p, lr=torch.tensor(0.0025, dtype=torch.float64), foreach=False)) if changed else (RAdamScheduleFree(p, lr=0.0025, foreach=False))
    opt.train()
    rows = [[torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
