"""torchium.optimizers.specialized.nlp:NovoGrad: load_state_dict changes the dtype of exp_avg_sq"""
import torch
from torchium.optimizers.specialized.nlp import NovoGrad

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))]
    build = lambda p: NovoGrad(p, lr=0.001)
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
        if torch.is_tensor(x[name]) and x[name].dtype != y[name].dtype:
            raise SystemExit(f'load_state_dict turns {name} from {x[name].dtype} into {y[name].dtype}')
