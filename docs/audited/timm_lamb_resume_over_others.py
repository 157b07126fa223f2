"""timm.optim.lamb:Lamb: resumed from a state_dict (other), it goes on differently at step 3, tensor 0, element 0"""
import torch
from timm.optim.lamb import Lamb

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([0.9470809631292422], dtype=torch.float32))]
    if changed: build = lambda p: Lamb(p, lr=0.5, foreach=False)
    opt = (build(p)) if changed else (Lamb(p, lr=0.5, foreach=False))
    rows = [[torch.tensor([1.4580206835369587], dtype=torch.float32)], [torch.tensor([0.0], dtype=torch.float32)], [torch.tensor([1.0039615758421696], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = Lamb(p, lr=0.007, bias_correction=False, eps=1e-10, weight_decay=0.03, grad_averaging=False, max_grad_norm=2.0, trust_clip=True, always_adapt=True, caution=True, decoupled_decay=True, corrected_weight_decay=True, betas=(0.5, 0.5), foreach=False)
        if changed and step == 2: new.load_state_dict(opt.state_dict())
        if changed and step == 2: opt = new
        if changed and step == 3: new = Lamb(p, lr=0.007, bias_correction=False, eps=1e-10, weight_decay=0.03, grad_averaging=False, max_grad_norm=2.0, trust_clip=True, always_adapt=True, caution=True, decoupled_decay=True, corrected_weight_decay=True, betas=(0.5, 0.5), foreach=False)
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
