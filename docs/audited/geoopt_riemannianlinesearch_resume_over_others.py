"""geoopt.optim.rlinesearch:RiemannianLineSearch: resumed from a state_dict (other), it goes on differently (grad"""
import torch
from geoopt.optim.rlinesearch import RiemannianLineSearch

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    if changed: build = lambda p: RiemannianLineSearch(p, transport_grad=True)
    opt = (build(p)) if changed else (RiemannianLineSearch(p, transport_grad=True))
    rows = [[torch.tensor([1.4580206835369587], dtype=torch.float32)], [torch.tensor([0.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: new = RiemannianLineSearch(p, compute_derphi=False, transport_search_direction=False, fallback_stepsize=3)
        if changed and step == 2: new.load_state_dict(opt.state_dict())
        if changed and step == 2: opt = new
        for x, g in zip(p, grads): x.grad = g
        opt.step(lambda: torch.tensor(float(step)))
    return torch.cat([v.detach().double().flatten() for x in p for v in (x, *opt.state[x].values()) if torch.is_tensor(v) and v.shape == x.shape])

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
