"""pytorch_optimizer.optimizer.sgd:ASGD: raised instead of stepping"""
import torch
from pytorch_optimizer.optimizer.sgd import ASGD

def run():
    p = [torch.nn.Parameter(torch.tensor([0.0], dtype=torch.float32))]
    build = lambda p: ASGD(p, lr=0.01, dampening=0.0, foreach=False)
    opt = build(p)
    rows = [[torch.tensor([0.5], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: new = build(p)
        if step == 2: new.load_state_dict(opt.state_dict())
        if step == 2: opt = new
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
