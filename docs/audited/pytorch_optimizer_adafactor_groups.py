"""pytorch_optimizer.optimizer.adafactor:AdaFactor: a group moves otherwise than alone at step 1, tensor 0, eleme"""
import torch
from pytorch_optimizer.optimizer.adafactor import AdaFactor

def run(changed):
    p = ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]) if changed else ([torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))])
    opt = (AdaFactor([{'params': [p[0]]}, {'params': [p[1]], 'weight_decay': 0.03, 'weight_decouple': False, 'relative_step': False, 'eps1': 0.03}], lr=0.1, foreach=False)) if changed else (AdaFactor(p, lr=0.1, weight_decay=0.03, weight_decouple=False, relative_step=False, eps1=0.03, foreach=False))
    rows = ([[torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)]]) if changed else ([[torch.full((2,), 2.0, dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([x.detach().double().flatten() for x in p])[1:3]) if changed else (torch.cat([x.detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
