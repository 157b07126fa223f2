"""RangerVA: raised instead of stepping"""
import copy
import torch
from pytorch_ranger.ranger913A import RangerVA

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = RangerVA(p, lr=0.001, k=2)
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: opt, p = copy.deepcopy((opt, p))
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
