"""AdaBelief: .grad was changed by the step at step 1, tensor 0, element 0"""
import torch
from adabelief_pytorch.AdaBelief import AdaBelief

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AdaBelief(p, lr=0.001, weight_decay=0.5, weight_decouple=False)
    rows = [[torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].grad.detach().flatten()[0].item()

observed = run()
print('observed', observed, 'expected', 2.0)
raise SystemExit(not observed == 2.0)
