"""sgd_sai.sgd_sai:SGD_sai: resumed from a state_dict (memory), it goes on differently at step 2, tensor 0, eleme"""
import torch
from sgd_sai.sgd_sai import SGD_sai

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    if changed: build = lambda p: SGD_sai(p, lr=0.01)
    opt = (build(p)) if changed else (SGD_sai(p, lr=0.01))
    rows = [[torch.tensor([1.4580206835369587], dtype=torch.float32)], [torch.tensor([0.0], dtype=torch.float32)]]
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
