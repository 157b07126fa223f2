"""RangerVA: load_state_dict changes the dtype of exp_avg"""
import torch
from pytorch_ranger.ranger913A import RangerVA

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))]
    build = lambda p: RangerVA(p, lr=0.001)
    opt = build(p)
    rows = [[torch.tensor([2.0], dtype=torch.float64)], [torch.tensor([2.0], dtype=torch.float64)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

opt, p, build = run()
new = build(p)
new.load_state_dict(opt.state_dict())
for x, y in zip(opt.state.values(), new.state.values()):
    for name in x if isinstance(x, dict) else ():
        was, now = (getattr(v.get(name), 'dtype', type(v.get(name))) for v in (x, y))
        if torch.is_tensor(y.get(name)) and was != now:
            raise SystemExit(f'load_state_dict turns {name} from {was} into {now}')
