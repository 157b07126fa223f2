"""ApolloDQN: raised instead of stepping"""
import torch
from pytorch_optimizer.optimizer.apollo import ApolloDQN

def run():
    p = [torch.nn.Parameter(torch.tensor([], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = ApolloDQN(p, lr=0.01, rebound='belief', foreach=False)
    rows = [[torch.tensor([], dtype=torch.float32), torch.tensor([2.0], dtype=torch.float32)]] * 12
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
