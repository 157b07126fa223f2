"""dadaptation.dadapt_sgd:DAdaptSGD: raised instead of stepping"""
import copy
import torch
from dadaptation.dadapt_sgd import DAdaptSGD

def run():
    p = [torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float32))]
    opt = DAdaptSGD(p, lr=1.0, weight_decay=0.5)
    rows = [[torch.tensor([-1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: opt, p = copy.deepcopy((opt, p))
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
