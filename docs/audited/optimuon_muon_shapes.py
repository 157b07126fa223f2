"""optimuon._muon:Muon: raised instead of stepping"""
import torch
from optimuon._muon import Muon

def run():
    p = [torch.nn.Parameter(torch.tensor([], dtype=torch.float32).reshape((3, 0))), torch.nn.Parameter(torch.tensor([1.0, 1.25, 1.5, 1.75], dtype=torch.float32).reshape((2, 2)))]
    opt = Muon(p, lr=0.02, foreach=False)
    rows = [[torch.tensor([], dtype=torch.float32).reshape((3, 0)), torch.tensor([1.0, 1.125, 1.25, 1.375], dtype=torch.float32).reshape((2, 2))]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
