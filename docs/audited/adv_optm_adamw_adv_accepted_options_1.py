"""adv_optm.optim.AdamW_adv:AdamW_adv: raised instead of stepping"""
import torch
from adv_optm.optim.AdamW_adv import AdamW_adv

def run():
    p = [torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]
    opt = AdamW_adv([{'params': [p[0]]}, {'params': [p[1]], 'kourkoutas_beta': True}], lr=0.001)
    rows = [[torch.full((2,), 1.0, dtype=torch.float32), torch.full((2,), 1.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
