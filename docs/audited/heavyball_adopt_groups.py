"""heavyball:ADOPT: a group moves otherwise than alone at step 2, tensor 0, element 0"""
import torch
from heavyball import ADOPT

def run(changed):
    p = ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]) if changed else ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))])
    opt = (ADOPT([{'params': [p[0]], 'mars': True}, {'params': [p[1]]}], lr=0.0025)) if changed else (ADOPT(p, lr=0.0025, mars=True))
    rows = ([[torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)]]) if changed else ([[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[0:1]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
