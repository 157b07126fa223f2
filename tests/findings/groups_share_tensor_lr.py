"""Parameter groups share one learning rate tensor, so that schedulers set every group to the last group's rate.

Each group takes the constructor's `lr` tensor itself, not a copy, and schedulers write with fill_. LambdaLR with
one function a group then gives all groups the rate of the last.

Report: none found (searched: param groups share tensor lr); pytorch/pytorch#163098 is of aliases inside schedulers.
"""

import torch

p, q = (torch.zeros(1, requires_grad=True) for _ in range(2))
optimizer = torch.optim.SGD([{"params": [p]}, {"params": [q]}], lr=torch.tensor(1.0))
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda epoch: 1.0, lambda epoch: 0.5**epoch])
optimizer.step()
scheduler.step()
raise SystemExit(int([float(group["lr"]) for group in optimizer.param_groups] != [1.0, 0.5]))
