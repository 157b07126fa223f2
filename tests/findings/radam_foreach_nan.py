"""Foreach RAdam turns a parameter with zero gradient into NaN where the denominator vanishes but is not used.

In the first steps RAdam takes an unadapted step and never divides by sqrt(v) + eps. Foreach RAdam always computes
1 / ((sqrt(v) + eps) / 0): with v = 0 and eps = 0 this is NaN. In float16 the default eps = 1e-8 rounds to 0, so a
unit without gradient is destroyed at the first step with default options. The for-loop form leaves it in place.

Report: none found (searched: RAdam foreach NaN zero gradient); pytorch/pytorch#92551 brought eps into the form.
"""

import torch

p = torch.ones(1, dtype=torch.float16, requires_grad=True)
p.grad = torch.zeros(1, dtype=torch.float16)
torch.optim.RAdam([p], foreach=True).step()
raise SystemExit(int(p.item() != 1.0))
