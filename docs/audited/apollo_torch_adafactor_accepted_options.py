"""apollo_torch.adafactor:Adafactor: raised instead of stepping"""
import torch
from apollo_torch.adafactor import Adafactor

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = Adafactor(p, relative_step=False)
    rows = [[torch.tensor([1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
