"""NAdam and ASGD step float64 parameters with single precision scalars.

mu_product, eta and mu are kept in tensors of the default dtype, float32, whatever the parameter's. A float64 run is
then wrong in the eighth digit from the first steps on: no better than float32, at twice the cost.

Report: none found (searched: NAdam mu_product ASGD eta float64 float32 scalar).
"""

import torch


def relative_error(optimizer: type, expected: float, **options: float) -> float:
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    p.grad = torch.ones(1, dtype=torch.float64)
    optimizer([p], **options).step()
    return abs(p.item() / expected - 1)


mu, mu_next = (0.9 * (1 - 0.5 * 0.96 ** (t * 4e-3)) for t in (1, 2))
nadam = -0.1 * ((1 - mu) / (1 - mu) + mu_next * (1 - 0.9) / (1 - mu * mu_next)) / (1 + 1e-8)
errors = relative_error(torch.optim.NAdam, nadam, lr=0.1), relative_error(torch.optim.ASGD, -0.1, lr=0.1)
raise SystemExit(int(max(errors) > 2.0**-40))
