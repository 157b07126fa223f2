"""Muon: raised instead of stepping"""
import torch
from heavyball import Muon

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    build = lambda p: Muon(p, lr=0.0025)
    opt = build(p)
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: new = Muon(p, lr=0.25, weight_decay=0.9, cautious_weight_decay=True, warmup_steps=2, multi_tensor=False, caution=True, mars_gamma=0.00125, beta2_scale=0.3, nesterov=False, heavyball_momentum=True, betas=(0.3, 0.75))
        if step == 2: new.load_state_dict(opt.state_dict())
        if step == 2: opt = new
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
