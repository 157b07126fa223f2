"""RiemannianAdam: maximize differs from negated gradients at step 1, tensor 0, element 0"""
import torch
from geoopt.optim.radam import RiemannianAdam

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = (RiemannianAdam(p, lr=0.001, foreach=False, maximize=True)) if changed else (RiemannianAdam(p, lr=0.001, foreach=False))
    rows = ([[torch.tensor([-2.0], dtype=torch.float32)]]) if changed else ([[torch.tensor([2.0], dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
