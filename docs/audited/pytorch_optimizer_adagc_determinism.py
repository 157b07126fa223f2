"""pytorch_optimizer.optimizer.adagc:AdaGC: raised instead of stepping"""
import torch
from pytorch_optimizer.optimizer.adagc import AdaGC

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.bfloat16).reshape(()))]
    opt = AdaGC(p, lr=0.001, foreach=False)
    rows = [[torch.tensor([2.0], dtype=torch.bfloat16).reshape(())], [torch.tensor([2.0], dtype=torch.bfloat16).reshape(())]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
