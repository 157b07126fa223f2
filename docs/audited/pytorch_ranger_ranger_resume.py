"""pytorch_ranger:Ranger: resumed from a state_dict (memory), it goes on differently at step 2, tensor 0, element"""
import torch
from pytorch_ranger import Ranger

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.bfloat16))]
    if changed: build = lambda p: Ranger(p, lr=0.5)
    opt = (build(p)) if changed else (Ranger(p, lr=0.5))
    rows = [[torch.tensor([1.0], dtype=torch.bfloat16)], [torch.tensor([1.0], dtype=torch.bfloat16)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = build(p)
        if changed and step == 2: new.load_state_dict(opt.state_dict())
        if changed and step == 2: opt = new
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

observed, expected = run(True), run(False)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
