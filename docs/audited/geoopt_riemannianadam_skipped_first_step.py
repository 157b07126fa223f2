"""RiemannianAdam: differs after a step that found_inf says to skip at step 1, tensor 0, element 0"""
import torch
from geoopt.optim.radam import RiemannianAdam

def run(changed):
    torch.use_deterministic_algorithms(True, warn_only=True)
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = RiemannianAdam(p, lr=0.001, fused=True)
    rows = [[torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 1: [setattr(x, 'grad', torch.full_like(x, torch.inf)) for x in p]
        if changed and step == 1: opt.grad_scale, opt.found_inf = None, torch.tensor(1.0)
        if changed and step == 1: opt.step(); del opt.grad_scale, opt.found_inf
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
