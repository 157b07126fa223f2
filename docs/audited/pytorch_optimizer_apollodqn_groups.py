"""ApolloDQN: a group moves otherwise than alone at step 1, tensor 0, element 0"""
import torch
from pytorch_optimizer.optimizer.apollo import ApolloDQN

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = (ApolloDQN([{'params': [p[0], p[1]], 'lr': 0.1}], lr=0.01, foreach=False)) if changed else (ApolloDQN(p, lr=0.1, foreach=False))
    rows = [[torch.tensor([2.0], dtype=torch.float32), torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[0:2]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
