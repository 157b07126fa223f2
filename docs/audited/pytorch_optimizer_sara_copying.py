"""pytorch_optimizer.optimizer.sara:SaRA: raised instead of stepping"""
import copy
import torch
from pytorch_optimizer.optimizer.sara import SaRA

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = SaRA(p, progressive_iter=2, foreach=False)
    rows = [[torch.tensor([2.0], dtype=torch.float32)]] * 3
    for step, grads in enumerate(rows, 1):
        if step == 2: opt, p = copy.deepcopy((opt, p))
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
