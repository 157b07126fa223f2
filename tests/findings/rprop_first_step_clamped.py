"""Rprop clamps the step size on steps where its documentation leaves it alone.

The documented algorithm clamps in the two branches that change the step size and keeps it where the product of
gradients is zero, as at the first step. torch clamps always: lr = 0 moves a parameter by step_sizes[0] = 1e-6.

No bug: code and documentation differ where lr is outside step_sizes, and nobody gains from it.

Report: noticed in the review of pytorch/pytorch#63866; as an issue, none found.
"""

import torch

p = torch.zeros(1, requires_grad=True)
p.grad = torch.ones(1)
torch.optim.Rprop([p], lr=0.0).step()
raise SystemExit(int(p.item() != 0.0))
