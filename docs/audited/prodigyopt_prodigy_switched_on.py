"""prodigyopt.prodigy:Prodigy: raised instead of stepping"""
import torch
from prodigyopt.prodigy import Prodigy

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = Prodigy(p, lr=1.0, betas=(0.0, 0.999))
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: [g.update({'betas': (0.9, 0.999)}) for g in opt.param_groups]
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
