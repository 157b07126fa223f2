"""AdamWClip.optimizer:AdamWClip: the closure is called with gradients disabled at step 1"""
import torch
from AdamWClip.optimizer import AdamWClip

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AdamWClip(p, lr=0.001)
    seen = []
    rows = [[torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        on = []
        def closure():
            on.append(torch.is_grad_enabled())
            for x, g in zip(p, grads): x.grad = g
            return torch.tensor(float(step))
        returned = opt.step(closure)
        seen.append((step, float(returned) if returned is not None else None, on))
    return seen

seen = run()
print('(step, what step(closure) returned, gradients enabled in the closure)', seen)
raise SystemExit(not all(enabled for _, _, calls in seen for enabled in calls))
