"""grokadamw.grokadamw:GrokAdamW: a parameter that missed steps moves otherwise than one that never had them at s"""
import torch
from grokadamw.grokadamw import GrokAdamW

def run(changed):
    p = ([torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((3, 2), 1.0, dtype=torch.float32))]) if changed else ([torch.nn.Parameter(torch.full((3, 2), 1.0, dtype=torch.float32))])
    opt = GrokAdamW(p, lr=0.001)
    rows = ([[torch.full((2,), 2.0, dtype=torch.float32), None], [torch.full((2,), 2.0, dtype=torch.float32), torch.full((3, 2), 2.0, dtype=torch.float32)], [torch.full((2,), 2.0, dtype=torch.float32), torch.full((3, 2), 2.0, dtype=torch.float32)]]) if changed else ([[torch.full((3, 2), 2.0, dtype=torch.float32)], [torch.full((3, 2), 2.0, dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[2:8]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
