"""timm.optim.mars:Mars: a group added in the middle of a run moves otherwise than alone at step 1, tensor 0, ele"""
import torch
from timm.optim.mars import Mars

def run(changed):
    p = ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]) if changed else ([torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))])
    opt = (Mars([{'params': [p[0]]}], lr=0.003, betas=(0.9, 0.997))) if changed else (Mars(p, lr=0.03, eps=0.03, lr_1d_factor=2.0))
    rows = ([[torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)]]) if changed else ([[torch.full((2,), 2.0, dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: opt.add_param_group({'params': [p[1]], 'lr': 0.03, 'eps': 0.03, 'lr_1d_factor': 2.0, 'betas': (0.9, 0.99)})
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[1:3]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
