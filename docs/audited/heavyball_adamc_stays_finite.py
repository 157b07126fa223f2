"""heavyball:AdamC: a zero gradient makes a parameter NaN where lr is 0 at step 1, tensor 0, element 0"""
import torch
from heavyball import AdamC

def run():
    p = [torch.nn.Parameter(torch.tensor([1.275153615209923], dtype=torch.float32))]
    build = lambda p: AdamC(p, lr=0.0)
    opt = build(p)
    rows = [[torch.tensor([0.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

opt, p, build = run()
print([x.tolist() for x in p])
raise SystemExit(any(x.isnan().any().item() for x in p))
