"""Rprop stops moving altogether when etaminus rounds to 1 in the parameter's dtype.

The factors are written into a tensor of that dtype, and gradients are then cleared wherever the factor equals
etaminus. In bfloat16 every etaminus above 0.998 is stored as 1, the factor of elements whose step size stays: all of
them are cleared, for ever. Rprop's documented domain is 0 < etaminus < 1; float32 is hit from 1 - 3e-8 on.

Report: none found (searched: Rprop etaminus bfloat16 step_size).
"""

import torch

p = torch.zeros(1, dtype=torch.bfloat16, requires_grad=True)
p.grad = torch.ones(1, dtype=torch.bfloat16)
torch.optim.Rprop([p], lr=0.5, etas=(0.999, 1.2)).step()
raise SystemExit(int(p.item() != -0.5))
