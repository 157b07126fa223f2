"""torch_optimizer:AggMo: raised instead of stepping"""
import torch
from torch_optimizer import AggMo

def build(p): return AggMo(p, lr=0.001)

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.bfloat16))]
    opt = build(p)
    for step, grads in enumerate([[torch.tensor([2.0], dtype=torch.bfloat16)], [torch.tensor([2.0], dtype=torch.bfloat16)]], 1):
        if step == 2: [g.update({'betas': (0.5, 0.9, 0.99)}) for g in opt.param_groups]
        if changed and step in (2,):
            opt, p = __import__('copy').deepcopy((opt, p))
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().flatten() for x in p])

run(True)  # raises, and so exits 1
