"""An optimizer that loads another's state_dict shares its state: stepping one changes the other.

Neither state_dict() nor load_state_dict() copies tensors whose dtype and device already fit, and the documentation
does not say so. Reported upstream as pytorch/pytorch#196083.

Report: pytorch/pytorch#196083.
"""

import torch

p, q = (torch.zeros(1, requires_grad=True) for _ in range(2))
first, second = (torch.optim.SGD([x], lr=0.5, momentum=0.5) for x in (p, q))
p.grad = q.grad = torch.ones(1)
first.step()
second.load_state_dict(first.state_dict())
second.step()
raise SystemExit(int(first.state[p]["momentum_buffer"].item() != 1.0))
