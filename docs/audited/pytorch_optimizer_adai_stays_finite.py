"""pytorch_optimizer.optimizer.adai:Adai: a zero gradient makes a parameter NaN at step 1, tensor 0, element 0"""
import torch
from pytorch_optimizer.optimizer.adai import Adai

def run():
    p = [torch.nn.Parameter(torch.tensor([0.7488805921733395], dtype=torch.bfloat16))]
    build = lambda p: Adai(p, lr=0.001, betas=(0.5, 0.5), foreach=False)
    opt = build(p)
    rows = [[torch.tensor([0.0], dtype=torch.bfloat16)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

opt, p, build = run()
print([x.tolist() for x in p])
raise SystemExit(any(x.isnan().any().item() for x in p))
