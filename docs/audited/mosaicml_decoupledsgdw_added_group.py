"""composer.optim.decoupled_weight_decay:DecoupledSGDW: raised instead of stepping"""
import torch
from composer.optim.decoupled_weight_decay import DecoupledSGDW

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]
    opt = DecoupledSGDW([{'params': [p[0]]}], lr=0.007, momentum=0.3)
    rows = [[torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: opt.add_param_group({'params': [p[1]]})
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
