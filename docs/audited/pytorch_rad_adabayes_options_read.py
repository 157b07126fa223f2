"""rad.optim.adabayes:AdaBayes: lr_sgd has no effect when it is changed in param_groups at step 1, tensor 0, elem"""
import torch
from rad.optim.adabayes import AdaBayes

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AdaBayes(p, lr=0.5, lr_sgd=0.0125, output_info=True)
    rows = [[torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 1: [g.update({'lr_sgd': 0.1}) for g in opt.param_groups]
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

without, observed = run(False), run(True)
print('observed', observed[:4].tolist(), 'and without the change', without[:4].tolist())
raise SystemExit(bool(((observed == without) | (observed.isnan() & without.isnan())).all()))
