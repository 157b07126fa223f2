"""adv_optm.optim.AdaMuon_adv:AdaMuon_adv: raised instead of stepping"""
import torch
from adv_optm.optim.AdaMuon_adv import AdaMuon_adv

def run():
    p = [torch.nn.Parameter(torch.tensor([], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AdaMuon_adv([{'params': [p[0], p[1]], 'vector_reshape': True, 'adam_nnmf_factor': True}], lr=0.001)
    rows = [[torch.tensor([], dtype=torch.float32), torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: [setattr(x, 'grad', None) for x in p]; opt.step()
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
