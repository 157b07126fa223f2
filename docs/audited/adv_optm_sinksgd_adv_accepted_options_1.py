"""adv_optm.optim.SinkSGD_adv:SinkSGD_adv: raised instead of stepping"""
import torch
from adv_optm.optim.SinkSGD_adv import SinkSGD_adv

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = SinkSGD_adv(p, lr=0.001, normed_momentum=True, snr_cond=True)
    rows = [[torch.tensor([1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
