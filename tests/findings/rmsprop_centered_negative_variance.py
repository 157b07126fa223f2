"""Centered RMSprop makes parameters NaN under gradients that stay the same.

It takes the root of square_avg - grad_avg**2, which converges to zero from above and by rounding falls below it;
eps is added outside the root and cannot help (Graves 2013, eq. 40, has it inside). No overflow, no special
value is involved, in any dtype: gradients in [0.5, 1.5) for 200 steps.

Report: none found (searched: RMSprop centered NaN square_avg minus grad_avg negative).
"""

import torch

torch.manual_seed(0)
p = torch.zeros(1000, requires_grad=True)
optimizer = torch.optim.RMSprop([p], lr=0.01, centered=True, alpha=0.5)
p.grad = torch.rand(1000) + 0.5
for _ in range(200):
    optimizer.step()
raise SystemExit(int(p.isnan().any().item()))
