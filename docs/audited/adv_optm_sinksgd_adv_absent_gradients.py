"""adv_optm.optim.SinkSGD_adv:SinkSGD_adv: raised instead of stepping"""
import torch
from adv_optm.optim.SinkSGD_adv import SinkSGD_adv

def run():
    p = [torch.nn.Parameter(torch.full((3, 1), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]
    opt = SinkSGD_adv([{'params': [p[0]]}], lr=0.001, nnmf_factor=True)
    rows = [[torch.full((3, 1), 2.0, dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)], [torch.full((3, 1), 2.0, dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: opt.add_param_group({'params': [p[1]]})
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
