"""torch_optimizer.apollo:Apollo: an autograd graph is kept at step 1"""
import torch
from torch_optimizer.apollo import Apollo

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    build = lambda p: Apollo(p, lr=0.01, weight_decay=0.1)
    opt = build(p)
    rows = [[torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

opt, p, build = run()
kept = [n for s in opt.state.values() for n, v in s.items() if torch.is_tensor(v) and v.grad_fn is not None]
print('state that keeps a graph:', kept)
raise SystemExit(bool(kept or any(x.grad_fn is not None for x in p)))
