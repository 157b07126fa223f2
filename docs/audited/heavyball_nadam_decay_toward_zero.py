"""heavyball:NAdam: weight decay moves a parameter away from zero at step 1, tensor 0, element 5"""
import torch
from heavyball import NAdam

def run():
    p = [torch.nn.Parameter(torch.tensor([0.0, -0.7037352358069926, -1.2654214710460525, 0.0, 0.0413259793472436, -2.3250307746388343, 0.0], dtype=torch.float64))]
    opt = NAdam(p, lr=0.002, weight_decay=0.5)
    rows = [[torch.full((7,), 0.0, dtype=torch.float64)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].detach().flatten()[5].item()

observed = run()
print('observed', observed, 'it was', -2.3250307746388343)
raise SystemExit((observed - -2.3250307746388343) * -1 > 0)
