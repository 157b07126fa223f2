"""heavyball:ADOPT: resumed from a state_dict (other), it goes on differently at step 2, tensor 0, element 0"""
import torch
from heavyball import ADOPT

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    if changed: build = lambda p: ADOPT(p, lr=0.0025)
    opt = (build(p)) if changed else (ADOPT(p, lr=0.0025))
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = ADOPT(p, lr=0.007, eps=0.03, weight_decay=0.1, cautious_weight_decay=True, warmup_steps=3, multi_tensor=False, mars=True, caution=True, mars_gamma=0.00125, beta2_scale=0.3, betas=(0.8, 0.5))
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
