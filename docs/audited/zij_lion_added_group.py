"""zij.contrib.first_order.lion:Lion: a group moves otherwise than alone at step 1, tensor 0, element 0"""
import torch
from zij.contrib.first_order.lion import Lion

def run(changed):
    p = ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]) if changed else ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))])
    opt = (Lion([{'params': [p[0], p[1]]}, {'params': [p[2]], 'lr': 0.007}], lr=0.0001, weight_decay=0.9, decoupled_weight_decay=True)) if changed else (Lion(p, lr=0.007, weight_decay=0.9, decoupled_weight_decay=True))
    rows = ([[torch.tensor([1.0], dtype=torch.float32), torch.tensor([1.0], dtype=torch.float32), torch.tensor([1.0], dtype=torch.float32)]]) if changed else ([[torch.tensor([1.0], dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[2:3]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
