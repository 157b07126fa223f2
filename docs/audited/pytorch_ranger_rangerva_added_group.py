"""pytorch_ranger.ranger913A:RangerVA: a group moves otherwise than alone at step 3, tensor 0, element 0"""
import torch
from pytorch_ranger.ranger913A import RangerVA

def run(changed):
    p = ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]) if changed else ([torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))])
    opt = (RangerVA([{'params': [p[0]]}, {'params': [p[1]], 'alpha': 0.3, 'k': 3}], lr=0.001)) if changed else (RangerVA(p, lr=0.001, alpha=0.3, k=3))
    rows = ([[torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)]] * 3) if changed else ([[torch.full((2,), 2.0, dtype=torch.float32)]] * 3)
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[1:3]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
