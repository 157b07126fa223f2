"""pytorch_optimizer.optimizer.ranger:Ranger: weight decay moves a parameter away from zero at step 1, tensor 0, """
import torch
from pytorch_optimizer.optimizer.ranger import Ranger

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = Ranger(p, lr=0.5, weight_decay=0.5, weight_decouple=False, foreach=False)
    rows = [[torch.tensor([0.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return p[0].detach().flatten()[0].item()

observed = run()
print('observed', observed, 'it was', 1.0)
raise SystemExit((observed - 1.0) * 1 > 0)
