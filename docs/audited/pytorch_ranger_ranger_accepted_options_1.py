"""pytorch_ranger.ranger:Ranger: raised instead of stepping"""
import torch
from pytorch_ranger.ranger import Ranger

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = Ranger(p, lr=0.001, N_sma_threshhold=3, betas=(0.95, 0.6))
    rows = [[torch.tensor([1.0], dtype=torch.float32)], [torch.tensor([-1.0], dtype=torch.float32)]] * 3
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
