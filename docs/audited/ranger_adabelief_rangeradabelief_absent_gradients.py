"""ranger_adabelief.ranger_adabelief:RangerAdaBelief: raised instead of stepping"""
import torch
from ranger_adabelief.ranger_adabelief import RangerAdaBelief

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = RangerAdaBelief(p, lr=0.001, N_sma_threshhold=2)
    rows = [[torch.tensor([1.0], dtype=torch.float32)], [torch.tensor([-1.0], dtype=torch.float32)], [torch.tensor([1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
