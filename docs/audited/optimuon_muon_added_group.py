"""optimuon._muon:Muon: a group moves otherwise than alone at step 1, tensor 0, element 0"""
import torch
from optimuon._muon import Muon

def run(changed):
    p = ([torch.nn.Parameter(torch.tensor([-0.25, 2.0], dtype=torch.float32).reshape((2, 1))), torch.nn.Parameter(torch.tensor([2.0, 2.0, 3.0, -0.25], dtype=torch.float32).reshape((2, 2)))]) if changed else ([torch.nn.Parameter(torch.tensor([2.0, 2.0, 3.0, -0.25], dtype=torch.float32).reshape((2, 2)))])
    opt = (Muon([{'params': [p[0]]}, {'params': [p[1]], 'gram_ns': True}], lr=0.02, gram_ns=False, foreach=False)) if changed else (Muon(p, lr=0.02, foreach=False))
    rows = ([[torch.tensor([1.0, -0.25], dtype=torch.float32).reshape((2, 1)), torch.tensor([3.0, -1.0, 1.0, 3.0], dtype=torch.float32).reshape((2, 2))]]) if changed else ([[torch.tensor([3.0, -1.0, 1.0, 3.0], dtype=torch.float32).reshape((2, 2))]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[2:6]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
