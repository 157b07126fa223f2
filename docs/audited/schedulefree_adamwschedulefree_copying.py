"""schedulefree.algoperf.self_tuning.schedule_free_adamw.submission:AdamWScheduleFree: differs after deepcopy of """
import copy
import torch
from schedulefree.algoperf.self_tuning.schedule_free_adamw.submission import AdamWScheduleFree

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AdamWScheduleFree(p, lr=0.001)
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: opt, p = copy.deepcopy((opt, p))
        for x, g in zip(p, grads): x.grad = g
        opt.step(lambda: torch.tensor(float(step)))
    return torch.cat([v.detach().double().flatten() for x in p for v in (x, *opt.state[x].values()) if torch.is_tensor(v) and v.shape == x.shape])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
