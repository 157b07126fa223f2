"""torchium.optimizers.adaptive.rmsprop_variants:RMSprop: a gradient that stays the same makes a parameter NaN at"""
import torch
from torchium.optimizers.adaptive.rmsprop_variants import RMSprop

def run():
    p = [torch.nn.Parameter(torch.tensor([-1.2435584318436748], dtype=torch.float32))]
    build = lambda p: RMSprop(p, lr=0.01, alpha=0.5, centered=True)
    opt = build(p)
    rows = [[torch.tensor([-0.7230910715854891], dtype=torch.float32)]] * 23
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

opt, p, build = run()
print([x.tolist() for x in p])
raise SystemExit(any(x.isnan().any().item() for x in p))
