"""SGD with Nesterov momentum, foreach and no weight decay changes `.grad` in place.

`torch._foreach_add_(device_grads, bufs, alpha=momentum)` writes into the tensors that are the parameters' `.grad`.
Whoever reads gradients after the step, or accumulates without zeroing, gets others than backward() left. The
for-loop and fused forms, and foreach with weight decay or maximize, leave `.grad` alone. foreach is the default on GPU.

Report: none found (searched: SGD foreach nesterov modifies grad in place); pytorch/pytorch#92706 cured others.
"""

import torch

p = torch.zeros(2, requires_grad=True)
p.grad = torch.ones(2)
torch.optim.SGD([p], lr=0.5, momentum=0.5, nesterov=True, foreach=True).step()
raise SystemExit(int(p.grad.tolist() != [1.0, 1.0]))
