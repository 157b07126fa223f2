"""ASGD applies a changed learning rate one step late.

It computes the step size of the next step at the end of each step, so what a scheduler or a person writes into
`param_groups` between two steps is not what the second of them uses: after lr is set to 0, it still moves.

Schedulers are documented to act on the step that follows them, and in the other optimizers they do. ASGD's own page
gives no algorithm, so that some may call it a convention.

Report: pytorch/pytorch#74884 says that ASGD's learning rate cannot be scheduled; of the delay, none found.
"""

import torch

p = torch.zeros(1, requires_grad=True)
p.grad = torch.ones(1)
optimizer = torch.optim.ASGD([p], lr=0.5, lambd=0.0)
optimizer.step()
optimizer.param_groups[0]["lr"] = 0.0
optimizer.step()
raise SystemExit(int(p.item() != -0.5))
