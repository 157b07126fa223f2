"""pytorch_optimizer.optimizer.ranger21:Ranger21: resumed from a state_dict (other), it goes on differently at st"""
import torch
from pytorch_optimizer.optimizer.ranger21 import Ranger21

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    if changed: build = lambda p: Ranger21(p, num_iterations=1000, lr=0.001, foreach=False)
    opt = (build(p)) if changed else (Ranger21(p, num_iterations=1000, lr=0.001, foreach=False))
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = Ranger21(p, num_iterations=1000, lr=1.0, weight_decay=0.0, weight_decouple=False, fixed_decay=True, eps=0.125, betas=(0.8, 0.75), foreach=False)
        if changed and step == 2: new.load_state_dict(opt.state_dict())
        if changed and step == 2: opt = new
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
