"""timm.optim.rmsprop_tf:RMSpropTF: a gradient that stays the same makes a parameter NaN at step 25, tensor 0, el"""
import torch
from timm.optim.rmsprop_tf import RMSpropTF

def run():
    p = [torch.nn.Parameter(torch.tensor([-1.1959369768719863], dtype=torch.float32))]
    build = lambda p: RMSpropTF(p, lr=0.01, alpha=0.5, centered=True, foreach=False)
    opt = build(p)
    rows = [[torch.tensor([-1.3483898927906073], dtype=torch.float32)]] * 25
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

opt, p, build = run()
print([x.tolist() for x in p])
raise SystemExit(any(x.isnan().any().item() for x in p))
