"""ranger_adabelief.ranger_adabelief:RangerAdaBelief: a group added in the middle of a run moves otherwise than a"""
import torch
from ranger_adabelief.ranger_adabelief import RangerAdaBelief

def run(changed):
    p = ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]) if changed else ([torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))])
    opt = (RangerAdaBelief([{'params': [p[0]], 'betas': (0.75, 0.999)}], lr=0.001, weight_decay=0.5)) if changed else (RangerAdaBelief(p, lr=0.001, weight_decay=0.5))
    rows = ([[torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)]]) if changed else ([[torch.full((2,), 2.0, dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: opt.add_param_group({'params': [p[1]]})
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[1:3]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
