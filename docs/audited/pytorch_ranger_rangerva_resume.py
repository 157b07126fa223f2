"""RangerVA: resumed from a state_dict (other), it goes on differently at step 2, tensor 0, element 0"""
import torch
from pytorch_ranger.ranger913A import RangerVA

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    if changed: build = lambda p: RangerVA(p, lr=0.001, k=2)
    opt = (build(p)) if changed else (RangerVA(p, lr=0.001, k=2))
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = RangerVA(p, lr=0.03, alpha=0.75, k=3, n_sma_threshhold=2, eps=1e-06, weight_decay=0.1, amsgrad=False, smooth=2, grad_transformer='abs', betas=(0.5, 0.5))
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
