"""heavyball:SUDSAdamW: raised instead of stepping"""
import torch
from heavyball import SUDSAdamW

def run():
    p = [torch.nn.Parameter(torch.tensor([], dtype=torch.float32))]
    opt = SUDSAdamW(p, lr=0.0025)
    rows = [[torch.tensor([], dtype=torch.float32)], [torch.tensor([], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
