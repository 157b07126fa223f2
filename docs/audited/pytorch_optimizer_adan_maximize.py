"""pytorch_optimizer.optimizer.adan:Adan: maximize differs from negated gradients at step 1, tensor 0, element 4"""
import torch
from pytorch_optimizer.optimizer.adan import Adan

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([0.9470809631292422, -0.7037352358069926, -1.2654214710460525, -0.6232744625373522, 0.0413259793472436, -2.3250307746388343, -0.21879166393254573], dtype=torch.float32))]
    opt = (Adan(p, lr=0.001, foreach=False, maximize=True)) if changed else (Adan(p, lr=0.001, foreach=False))
    rows = ([[torch.full((7,), -2.0, dtype=torch.float32)]]) if changed else ([[torch.full((7,), 2.0, dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
