"""torch_optimizer.aggmo:AggMo: raised instead of stepping"""
import copy
import torch
from torch_optimizer.aggmo import AggMo

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AggMo(p, lr=0.001)
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: [g.update({'betas': (0.5, 0.9, 0.99)}) for g in opt.param_groups]
        if step == 2: opt, p = copy.deepcopy((opt, p))
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
