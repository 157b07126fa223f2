"""Fused SGD with momentum raises once a parameter gets its first gradient after another parameter has stepped.

The kernel takes the buffers of the whole group; `is_first_step` is true only while no parameter has one, so a late
parameter's buffer stays None: TypeError: expected Tensor as element 1 in argument 2, but got NoneType.
For-loop and foreach SGD start the late parameter's buffer from its gradient.

Report: none found (searched: fused SGD momentum_buffer None TypeError expected Tensor as element).
"""

import torch

early, late = (torch.zeros(2, requires_grad=True) for _ in range(2))
optimizer = torch.optim.SGD([early, late], lr=0.5, momentum=0.5, fused=True)
early.grad = torch.ones(2)
optimizer.step()
late.grad = torch.ones(2)
try:
    optimizer.step()
except TypeError:
    raise SystemExit(1) from None
raise SystemExit(int(late.tolist() != [-0.5, -0.5]))
