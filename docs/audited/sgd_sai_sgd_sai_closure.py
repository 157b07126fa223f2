"""sgd_sai.sgd_sai:SGD_sai: step(closure) calls the closure again before it has moved any parameter at step 1"""
import torch
from sgd_sai.sgd_sai import SGD_sai

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = SGD_sai(p, lr=0.01)
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
raise SystemExit(any(len(calls) > 1 for _, _, calls in seen))
