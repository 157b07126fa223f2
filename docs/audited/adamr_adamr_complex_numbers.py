"""adamr.adamr:AdamR: raised instead of stepping"""
import torch
from adamr.adamr import AdamR

def run():
    p = [torch.nn.Parameter(torch.view_as_complex(torch.full((1, 2), 1.0, dtype=torch.float32)))]
    opt = AdamR(p, lr=0.001, foreach=False)
    rows = [[torch.view_as_complex(torch.full((1, 2), 2.0, dtype=torch.float32))]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.view_as_real(torch.cat([x.detach().flatten() for x in p])).double().flatten()

run()  # raises, and so exits 1
