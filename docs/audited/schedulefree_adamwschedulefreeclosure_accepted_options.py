"""schedulefree.adamw_schedulefree_closure:AdamWScheduleFreeClosure: raised instead of stepping"""
import torch
from schedulefree.adamw_schedulefree_closure import AdamWScheduleFreeClosure

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AdamWScheduleFreeClosure(p, lr=0.0025, betas=(0.0, 0.999), foreach=False)
    rows = [[torch.tensor([1.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step(lambda: torch.tensor(float(step)))
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
