"""RMSprop raises KeyError when momentum of a group is raised from 0 after the first step.

The buffer is made with the rest of the state, at the first step, if momentum is positive then. SGD makes its buffer
when it is first needed; options in `param_groups` are meant to be changed, schedulers that cycle momentum do so.

Report: none found (searched: RMSprop KeyError momentum_buffer changing momentum in param_groups).
"""

import torch

p = torch.zeros(1, requires_grad=True)
p.grad = torch.ones(1)
optimizer = torch.optim.RMSprop([p], lr=0.5)
optimizer.step()
optimizer.param_groups[0]["momentum"] = 0.5
try:
    optimizer.step()
except KeyError:
    raise SystemExit(1) from None
raise SystemExit(0)
