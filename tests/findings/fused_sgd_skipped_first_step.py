"""Fused SGD keeps uninitialised momentum when the first step is skipped because the gradient overflowed.

A GradScaler sets `found_inf` and the kernel rightly does nothing, but the buffers it was given came from
`torch.empty_like` and are kept as state. The next step reads them. Deterministic mode fills such memory with NaN,
which makes the leak visible; without it the parameter receives whatever the allocator returned.

Report: none found in pytorch (searched: fused SGD found_inf uninitialized momentum); LibreYOLO/libreyolo#771 tells of
CUDA.
"""

import torch

torch.use_deterministic_algorithms(True)
p = torch.zeros(8, requires_grad=True)
p.grad = torch.ones(8)
optimizer = torch.optim.SGD([p], lr=0.5, momentum=0.5, fused=True)
optimizer.grad_scale, optimizer.found_inf = torch.tensor(1.0), torch.tensor(1.0)  # what GradScaler.step sets
optimizer.step()
optimizer.found_inf = torch.tensor(0.0)
optimizer.step()
torch.use_deterministic_algorithms(False)
raise SystemExit(int(p.tolist() != [-0.5] * 8))
