"""RangerVA: step(closure) never calls the closure at step 1"""
import torch
from pytorch_ranger.ranger913A import RangerVA

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = RangerVA(p, lr=0.001)
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
raise SystemExit(any(not calls for _, _, calls in seen))
