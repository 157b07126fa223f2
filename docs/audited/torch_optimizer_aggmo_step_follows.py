"""torch_optimizer:AggMo: theta left its enclosure at step 1, tensor 0, element 0"""
import torch
from torch_optimizer import AggMo

def build(p): return AggMo(p, lr=0.5, betas=(0.0, 0.5, 0.5))

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.bfloat16))]
    opt = build(p)
    for step, grads in enumerate([[torch.tensor([2.0], dtype=torch.bfloat16)]], 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().flatten() for x in p])

observed = run()[0].item()
print('observed', observed, 'expected -0.017578125 to 0.015625')
raise SystemExit(not -0.017578125 <= observed <= 0.015625)
