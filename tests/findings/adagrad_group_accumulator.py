"""Adagrad ignores `initial_accumulator_value` of a parameter group.

The option is kept in the group, but state is filled from the constructor's argument. Every other option of a group
overrides the constructor's, as the documentation of parameter groups promises.

Report: none found (searched: Adagrad initial_accumulator_value per parameter group ignored).
"""

import torch

p = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.Adagrad([{"params": [p], "initial_accumulator_value": 3.0}], lr=1.0, eps=0.0)
p.grad = torch.ones(1)
optimizer.step()  # by the documented rule: sum = 3 + 1, step = 1 / sqrt(4)
raise SystemExit(int(p.item() != -0.5))
