"""kron_torch.kron:Kron: raised instead of stepping"""
import torch
from kron_torch.kron import Kron

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    build = lambda p: Kron(p, lr=0.0003)
    opt = build(p)
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: new = build(p)
        if step == 2: new.load_state_dict(opt.state_dict())
        if step == 2: opt = new
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
