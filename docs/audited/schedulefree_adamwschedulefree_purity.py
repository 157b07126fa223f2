"""schedulefree:AdamWScheduleFree: .grad was changed by the step at step 1, tensor 0, element 0"""
import torch
from schedulefree import AdamWScheduleFree

def build(p): return AdamWScheduleFree(p, lr=0.0025, weight_decay=0.25, foreach=True)

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.bfloat16))]
    opt = build(p)
    opt.train()
    for step, grads in enumerate([[torch.tensor([2.0], dtype=torch.bfloat16)]], 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.grad.flatten() for x in p])

observed, expected = run(), torch.cat([g.flatten() for g in (torch.tensor([2.0], dtype=torch.bfloat16),)])
print('observed', observed.tolist())
print('expected', expected.tolist())
raise SystemExit(not torch.equal(observed.nan_to_num(), expected.nan_to_num()))
