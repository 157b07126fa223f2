"""LaProp: a gradient that stays the same makes a parameter NaN at step 24, tensor 0, element 0"""
import torch
from pytorch_optimizer.optimizer.laprop import LaProp

def run():
    p = [torch.nn.Parameter(torch.tensor([-1.2641722591890066], dtype=torch.float32))]
    build = lambda p: LaProp(p, lr=0.0004, centered=True, betas=(0.5, 0.5), foreach=False)
    opt = build(p)
    rows = [[torch.tensor([0.553986441450703], dtype=torch.float32)]] * 24
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g.clone()
        opt.step()
    return opt, p, build

opt, p, build = run()
print([x.tolist() for x in p])
raise SystemExit(any(x.isnan().any().item() for x in p))
