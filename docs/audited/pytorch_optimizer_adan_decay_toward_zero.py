"""pytorch_optimizer.optimizer.adan:Adan: raised instead of stepping"""
import torch
from pytorch_optimizer.optimizer.adan import Adan

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32).reshape(()))]
    opt = Adan(p, lr=0.001, max_grad_norm=0.5, foreach=False)
    rows = [[torch.tensor([0.0], dtype=torch.float32).reshape(())]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
