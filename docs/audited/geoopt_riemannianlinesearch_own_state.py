"""geoopt.optim.rlinesearch:RiemannianLineSearch: state is shared at step 1"""
import torch
from geoopt.optim.rlinesearch import RiemannianLineSearch

def run():
    p = [torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32))]
    build = lambda p: RiemannianLineSearch(p)
    opt = build(p)
    rows = [[torch.full((2,), 2.0, dtype=torch.float32), torch.full((2,), 2.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step(lambda: torch.tensor(float(step)))
    return opt, p, build

opt, p, build = run()
owners = {x.grad.untyped_storage().data_ptr(): 'a gradient' for x in p if x.grad is not None}
for k, x in enumerate(p):
    for name, v in [(n, v) for n, v in opt.state[x].items() if torch.is_tensor(v) and v.shape == x.shape]:
        if (place := v.untyped_storage().data_ptr()) in owners:
            raise SystemExit(f'one memory for {name} of parameter {k} and {owners[place]}')
        owners[place] = f'{name} of parameter {k}'
