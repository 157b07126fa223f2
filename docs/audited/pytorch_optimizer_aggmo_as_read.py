"""pytorch_optimizer.optimizer.aggmo:AggMo: raised instead of stepping"""
import torch
from pytorch_optimizer.optimizer.aggmo import AggMo

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AggMo(p, lr=0.001, foreach=False)
    rows = [[torch.tensor([2.0], dtype=torch.float32)]] * 3
    for step, grads in enumerate(rows, 1):
        if step == 3: [g.update({'betas': (0.0, 0.9, 0.5)}) for g in opt.param_groups]
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
