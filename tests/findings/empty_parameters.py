"""Adafactor, Muon and LBFGS raise when a parameter has no elements.

Adafactor divides by the number of elements, Muon by the shape's smaller side, and LBFGS asks for the largest of no
gradients. A layer of width 0 or an empty shard is a parameter like any other; the other optimizers step over it.

Report: none found (searched: Adafactor ZeroDivisionError empty parameter; Muon empty matrix; LBFGS empty).
"""

import torch


def steps(optimizer: type, shape: tuple[int, ...]) -> bool:
    p = torch.zeros(shape, requires_grad=True)
    p.grad = torch.zeros(shape)
    try:
        optimizer([p]).step(lambda: torch.zeros(()))
    except (ZeroDivisionError, RuntimeError):
        return False
    return True


shapes = {torch.optim.Adafactor: (0,), torch.optim.Muon: (3, 0), torch.optim.LBFGS: (0,)}
raise SystemExit(int(not all(steps(optimizer, shape) for optimizer, shape in shapes.items())))
