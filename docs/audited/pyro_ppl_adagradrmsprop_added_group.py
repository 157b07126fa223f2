"""pyro.optim.adagrad_rmsprop:AdagradRMSProp: raised instead of stepping"""
import torch
from pyro.optim.adagrad_rmsprop import AdagradRMSProp

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AdagradRMSProp([{'params': [p[0]]}])
    rows = [[torch.tensor([2.0], dtype=torch.float32), torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32), torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: opt.add_param_group({'params': [p[1]]})
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
