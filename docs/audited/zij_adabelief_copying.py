"""zij.contrib.first_order.adabelief:AdaBelief: raised instead of stepping"""
import copy
import torch
from zij.contrib.first_order.adabelief import AdaBelief

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AdaBelief(p, lr=0.001)
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: opt, p = copy.deepcopy((opt, p))
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
