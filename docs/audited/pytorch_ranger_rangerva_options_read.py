"""pytorch_ranger.ranger913A:RangerVA: resumed from a state_dict (other), it goes on differently at step 3, tenso"""
import torch
from pytorch_ranger.ranger913A import RangerVA

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    if changed: build = lambda p: RangerVA(p, lr=0.001, k=3)
    opt = (build(p)) if changed else (RangerVA(p, lr=0.001, k=3))
    rows = [[torch.tensor([2.0], dtype=torch.float32)]] * 3
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = RangerVA(p, lr=1.0, alpha=0.9, k=2, n_sma_threshhold=3, eps=1e-06, weight_decay=0.25, amsgrad=False, smooth=2, betas=(0.5, 0.997))
        if changed and step == 2: new.load_state_dict(opt.state_dict())
        if changed and step == 2: opt = new
        if changed and step == 3: new = RangerVA(p, lr=1.0, alpha=0.9, k=2, n_sma_threshhold=3, eps=1e-06, weight_decay=0.25, amsgrad=False, smooth=2, betas=(0.5, 0.997))
        if changed and step == 3: new.load_state_dict(opt.state_dict())
        if changed and step == 3: opt = new
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
