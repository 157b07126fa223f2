"""SM3: a parameter of one number moves otherwise without a dimension than with one at step 3, tensor 0, ..."""
import torch
from pytorch_optimizer.optimizer.sm3 import SM3

def run(changed):
    p = ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32).reshape(()))]) if changed else ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))])
    opt = SM3(p, lr=0.25, beta=0.5, foreach=False)
    rows = ([[torch.tensor([1.4580206835369587], dtype=torch.float32).reshape(())], [torch.tensor([0.0], dtype=torch.float32).reshape(())], [torch.tensor([1.0039615758421696], dtype=torch.float32).reshape(())]]) if changed else ([[torch.tensor([1.4580206835369587], dtype=torch.float32)], [torch.tensor([0.0], dtype=torch.float32)], [torch.tensor([1.0039615758421696], dtype=torch.float32)]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
