"""pytorch_optimizer.optimizer.dadapt:DAdaptAdaGrad: a sparse gradient acts otherwise than the dense one at step """
import torch
from pytorch_optimizer.optimizer.dadapt import DAdaptAdaGrad

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([0.0], dtype=torch.float32))]
    opt = DAdaptAdaGrad(p, lr=1.0, eps=0.125, foreach=False, maximize=True)
    if changed: sparse = lambda g: torch.sparse_coo_tensor(torch.arange(len(g)).repeat(2)[None], torch.cat([g / 2, g / 2]))
    rows = ([[sparse(torch.tensor([2.0], dtype=torch.float32))]]) if changed else ([[torch.tensor([2.0], dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
