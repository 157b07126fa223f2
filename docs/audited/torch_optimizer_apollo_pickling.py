"""torch_optimizer.apollo:Apollo: raised instead of stepping"""
import pickle
import torch
from torch_optimizer.apollo import Apollo

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = Apollo(p, lr=0.01, weight_decay=0.1)
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 2: opt, p = pickle.loads(pickle.dumps((opt, p)))
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
