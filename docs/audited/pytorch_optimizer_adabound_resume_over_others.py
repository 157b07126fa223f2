"""pytorch_optimizer.optimizer.adabound:AdaBound: resumed from a state_dict (other), it goes on differently at st"""
import torch
from pytorch_optimizer.optimizer.adabound import AdaBound

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    if changed: build = lambda p: AdaBound(p, lr=0.001, gamma=0.5005, foreach=False)
    opt = (build(p)) if changed else (AdaBound(p, lr=0.001, gamma=0.5005, foreach=False))
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = AdaBound(p, lr=0.25, final_lr=0.0125, gamma=0.000125, weight_decay=0.03, weight_decouple=False, fixed_decay=True, ams_bound=True, eps=0.03, betas=(0.5, 0.99), foreach=False)
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
