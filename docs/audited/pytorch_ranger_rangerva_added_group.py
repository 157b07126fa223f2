"""RangerVA: a group moves otherwise than alone at step 2, tensor 0, element 0"""
import torch
from pytorch_ranger.ranger913A import RangerVA

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = (RangerVA([{'params': [p[0], p[1]], 'alpha': 0.99}], lr=1.0, k=2)) if changed else (RangerVA(p, lr=1.0, alpha=0.99, k=2))
    rows = [[torch.tensor([2.0], dtype=torch.float32), torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32), torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[0:2]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
