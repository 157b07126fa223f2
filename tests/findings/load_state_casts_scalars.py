"""Loading a state_dict casts NAdam's mu_product and ASGD's eta and mu to the parameter's dtype.

They are float32 scalars; `load_state_dict` spares `step` alone. After saving and loading in bfloat16 the run goes on
with rounded scalars: it is not the run that was saved.

Report: none found (searched: NAdam mu_product load_state_dict dtype cast).
"""

import torch


def resumed(optimizer: type, scalar: str) -> bool:
    pair = [torch.ones(1, dtype=torch.bfloat16, requires_grad=True) for _ in range(2)]
    first, second = (optimizer([p], lr=0.1) for p in pair)
    pair[0].grad = torch.ones(1, dtype=torch.bfloat16)
    first.step()
    second.load_state_dict(first.state_dict())
    before, after = first.state[pair[0]][scalar], second.state[pair[1]][scalar]
    return before.dtype == after.dtype and before.item() == after.item()


raise SystemExit(int(not (resumed(torch.optim.NAdam, "mu_product") and resumed(torch.optim.ASGD, "eta"))))
