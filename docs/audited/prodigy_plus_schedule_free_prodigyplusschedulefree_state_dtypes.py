"""prodigyplus.prodigy_plus_schedulefree:ProdigyPlusScheduleFree: load_state_dict changes the dtype of p0"""
import torch
from prodigyplus.prodigy_plus_schedulefree import ProdigyPlusScheduleFree

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    build = lambda p: ProdigyPlusScheduleFree(p, lr=1.0)
    opt = build(p)
    opt.train()
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
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
