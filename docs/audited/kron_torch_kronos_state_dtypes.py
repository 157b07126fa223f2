"""kron_torch.kronos:Kronos: load_state_dict changes the dtype of Q"""
import torch
from kron_torch.kronos import Kronos

def run():
    p = [torch.nn.Parameter(torch.full((2, 2), 1.0, dtype=torch.float64))]
    build = lambda p: Kronos(p, lr=0.0003)
    opt = build(p)
    rows = [[torch.full((2, 2), 2.0, dtype=torch.float64)], [torch.full((2, 2), 2.0, dtype=torch.float64)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

opt, p, build = run()
new = build(p)
new.load_state_dict(opt.state_dict())
for x, y in zip(opt.state.values(), new.state.values()):
    for name in x if isinstance(x, dict) else ():
        if torch.is_tensor(x[name]) and x[name].dtype != y[name].dtype:
            raise SystemExit(f'load_state_dict turns {name} from {x[name].dtype} into {y[name].dtype}')
