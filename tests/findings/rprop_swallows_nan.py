"""Rprop treats a NaN gradient as zero: the parameter stays put, finite, and nobody learns of it.

torch.sign(nan) is 0. Every other optimizer hands the NaN on to the parameter.

No bug: a rule that reads signs alone, with torch's sign; nothing is documented of NaN.

Report: none found (searched: Rprop NaN gradient sign).
"""

import torch

p = torch.zeros(1, requires_grad=True)
p.grad = torch.full((1,), torch.nan)
torch.optim.Rprop([p]).step()
raise SystemExit(int(not p.isnan().item()))
