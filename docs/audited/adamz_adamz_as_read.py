"""adamz.adamz:AdamZ: depends on the memory layout (parameters sliced, gradients contiguous) at step 1, tensor 0,"""
import torch
from adamz.adamz import AdamZ

def run(changed):
    p = ([torch.nn.Parameter(torch.stack([torch.full((3, 5), float('nan'), dtype=torch.float32), torch.full((3, 5), 1.0, dtype=torch.float32)], -1)[..., 1]), torch.nn.Parameter(torch.stack([torch.full((7,), float('nan'), dtype=torch.float32), torch.full((7,), 1.0, dtype=torch.float32)], -1)[..., 1]), torch.nn.Parameter(torch.stack([torch.full((2, 3, 2, 2), float('nan'), dtype=torch.float32), torch.full((2, 3, 2, 2), 1.0, dtype=torch.float32)], -1)[..., 1])]) if changed else ([torch.nn.Parameter(torch.full((3, 5), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((7,), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((2, 3, 2, 2), 1.0, dtype=torch.float32))])
    opt = AdamZ(p, lr=0.001, fused=True)
    rows = [[torch.full((3, 5), 2.0, dtype=torch.float32), torch.full((7,), 2.0, dtype=torch.float32), torch.full((2, 3, 2, 2), 2.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
