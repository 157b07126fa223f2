"""Muon: a group moves otherwise than alone at step 1, tensor 0, element 0"""
import torch
from optimuon._muon import Muon

def run(changed):
    p = [torch.nn.Parameter(torch.full((2, 1), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((2, 2), 1.0, dtype=torch.float32))]
    opt = (Muon([{'params': [p[0], p[1]], 'gram_ns': True}], lr=0.02, gram_ns=False, foreach=False)) if changed else (Muon(p, lr=0.02, foreach=False))
    rows = [[torch.tensor([3.573266636154974e-08, 1.6553921942221797e-09], dtype=torch.float32).reshape((2, 1)), torch.tensor([1.2584865187088915e-08, 3.2935038102717446e-09, -6.513467886269074e-09, -7.312747553237952e-10], dtype=torch.float32).reshape((2, 2))]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[0:6]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
