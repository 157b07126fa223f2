"""torchium.optimizers.adaptive.rmsprop_variants:Yogi: a gradient that stays the same makes a parameter NaN at st"""
import torch
from torchium.optimizers.adaptive.rmsprop_variants import Yogi

def run():
    p = [torch.nn.Parameter(torch.tensor([0.7789746267111702], dtype=torch.float32))]
    build = lambda p: Yogi(p, lr=0.01, betas=(0.5, 0.5))
    opt = build(p)
    rows = [[torch.tensor([0.5305333158398219], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

opt, p, build = run()
print([x.tolist() for x in p])
raise SystemExit(any(x.isnan().any().item() for x in p))
