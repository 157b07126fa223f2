"""grokadamw.grokadamw:GrokAdamW: moves otherwise because another parameter has no gradient at step 1, tensor 1, """
import torch
from grokadamw.grokadamw import GrokAdamW

def run():
    p = [torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float32)), torch.nn.Parameter(torch.full((3, 2), 1.0, dtype=torch.float32))]
    opt = GrokAdamW(p, lr=0.5)
    rows = [[None, torch.full((3, 2), 2.0, dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[1].detach().flatten()[0].item()

observed = run()
print('observed', observed, 'expected', 0.04500079154968262)
raise SystemExit(not observed == 0.04500079154968262)
