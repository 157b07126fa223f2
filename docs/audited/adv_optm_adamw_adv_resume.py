"""adv_optm.optim.AdamW_adv:AdamW_adv: resumed from a state_dict (memory), it goes on differently at step 2, tens"""
import torch
from adv_optm.optim.AdamW_adv import AdamW_adv

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    if changed: build = lambda p: AdamW_adv(p, lr=0.001, kourkoutas_beta=True)
    opt = (build(p)) if changed else (AdamW_adv(p, lr=0.001, kourkoutas_beta=True))
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
