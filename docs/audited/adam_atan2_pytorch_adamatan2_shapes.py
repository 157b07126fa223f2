"""adam_atan2_pytorch.adam_atan2_with_orthog_grad:AdamAtan2: raised instead of stepping"""
import torch
from adam_atan2_pytorch.adam_atan2_with_orthog_grad import AdamAtan2

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32).reshape(()))]
    opt = AdamAtan2(p, lr=0.0001)
    rows = [[torch.tensor([1.0], dtype=torch.float32).reshape(())], [torch.tensor([1.0], dtype=torch.float32).reshape(())]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
