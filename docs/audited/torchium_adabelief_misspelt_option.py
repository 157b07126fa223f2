"""torchium.optimizers.adaptive.adam_variants:AdaBelief: a misspelt option is accepted: weight_decya"""
import torch
from torchium.optimizers.adaptive.adam_variants import AdaBelief

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    build = lambda p: AdaBelief(p, lr=0.001, weight_decya=0.1)
    opt = build(p)
    rows = [[torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

try:
    run()
except Exception as refused:
    print('refused:', refused)
else:
    raise SystemExit('an option that does not exist is accepted')
