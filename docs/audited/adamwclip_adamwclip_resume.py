"""AdamWClip.optimizer:AdamWClip: resumed from a state_dict (memory), it goes on differently at step 2, tensor 0,"""
import torch
from AdamWClip.optimizer import AdamWClip

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    if changed: build = lambda p: AdamWClip(p, lr=0.001)
    opt = (build(p)) if changed else (AdamWClip(p, lr=0.001))
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = build(p)
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
