"""RiemannianAdam: decoupled_weight_decay changes no step, though parameters decay at step 3"""
import torch
from geoopt.optim.radam import RiemannianAdam

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0, -0.5, 2.0, 0.25], dtype=torch.float32).reshape((2, 2)))]
    opt = (RiemannianAdam(p, lr=0.001, weight_decay=0.5, decoupled_weight_decay=True, foreach=False)) if changed else (RiemannianAdam(p, lr=0.001, weight_decay=0.5, foreach=False))
    rows = [[torch.tensor([1.0, -2.0, 3.0, 0.5], dtype=torch.float32).reshape((2, 2))], [torch.tensor([0.015625, -2.0, 3.0, 0.0078125], dtype=torch.float32).reshape((2, 2))], [torch.tensor([0.000244140625, -2.0, 3.0, 0.0001220703125], dtype=torch.float32).reshape((2, 2))]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

without, observed = run(False), run(True)
print('observed', observed[:4].tolist(), 'and without the change', without[:4].tolist())
raise SystemExit(bool(((observed == without) | (observed.isnan() & without.isnan())).all()))
