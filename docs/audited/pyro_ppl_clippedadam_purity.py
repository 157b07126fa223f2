"""pyro.optim.clipped_adam:ClippedAdam: .grad was changed by the step at step 1, tensor 0, element 0"""
import torch
from pyro.optim.clipped_adam import ClippedAdam

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = ClippedAdam(p, lr=0.001)
    rows = [[torch.tensor([16.264442168456466], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].grad.detach().flatten()[0].item()

observed = run()
print('observed', observed, 'expected', 16.264442443847656)
raise SystemExit(not observed == 16.264442443847656)
