"""pytorch_optimizer.optimizer.lamb:Lamb: resumed from a state_dict (other), it goes on differently at step 3, te"""
import torch
from pytorch_optimizer.optimizer.lamb import Lamb

def run(changed):
    p = [torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]
    if changed: build = lambda p: Lamb(p, lr=0.001, pre_norm=True, foreach=False)
    opt = (build(p)) if changed else (Lamb(p, lr=0.001, pre_norm=True, foreach=False))
    rows = [[torch.tensor([1.4580206835369587, 1.9602583164499647], dtype=torch.float32)], [torch.tensor([-0.6617025720390349, -0.006819300736612832], dtype=torch.float32)], [torch.tensor([1.0039615758421696, -0.0001508562120868166], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = Lamb(p, lr=1.0, weight_decay=0.03, weight_decouple=False, fixed_decay=True, grad_averaging=False, max_grad_norm=2.0, adam=True, pre_norm=True, eps=1e-10, betas=(0.95, 0.997), foreach=False)
        if changed and step == 2: new.load_state_dict(opt.state_dict())
        if changed and step == 2: opt = new
        if changed and step == 3: new = Lamb(p, lr=1.0, weight_decay=0.03, weight_decouple=False, fixed_decay=True, grad_averaging=False, max_grad_norm=2.0, adam=True, pre_norm=True, eps=1e-10, betas=(0.95, 0.997), foreach=False)
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
