"""pytorch_optimizer.optimizer.soap:SOAP: raised instead of stepping"""
import torch
from pytorch_optimizer.optimizer.soap import SOAP

def run():
    p = [torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]
    opt = SOAP(p, lr=0.003, merge_dims=True)
    rows = [[torch.full((2,), 1.0, dtype=torch.float32)], [torch.full((2,), -1.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
