"""sophia_opt:SophiaG: theta is not what the rule read out of the code gives at step 1, tensor 0, element 0"""
import torch
from sophia_opt import SophiaG

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float16))]
    opt = SophiaG(p, lr=0.0001)
    rows = [[torch.tensor([-2.14728649283218e-07], dtype=torch.float16)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].detach().flatten()[0].item()

observed = run()
print('observed', observed, 'expected', 1.0)
raise SystemExit(not observed == 1.0)
