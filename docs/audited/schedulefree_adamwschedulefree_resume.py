"""schedulefree.algoperf.self_tuning.schedule_free_adamw.submission:AdamWScheduleFree: resumed from a state_dict """
import torch
from schedulefree.algoperf.self_tuning.schedule_free_adamw.submission import AdamWScheduleFree

def run(changed):
    p = [torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]
    if changed: build = lambda p: AdamWScheduleFree(p, lr=0.5)
    opt = (build(p)) if changed else (AdamWScheduleFree(p, lr=0.5))
    rows = [[torch.full((2,), 2.0, dtype=torch.float32)], [torch.full((2,), 2.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = build(p)
        if changed and step == 2: new.load_state_dict(opt.state_dict())
        if changed and step == 2: opt = new
        for x, g in zip(p, grads): x.grad = g
        opt.step(lambda: torch.tensor(float(step)))
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
