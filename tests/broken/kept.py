"""Wrong in what is kept beside the parameters, which no step may read."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.optimizers import Right


class KeepsItsAverage(Right):
    """An average of the parameters is kept; foreach makes it before any step, and rounds otherwise: right."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"] if group["foreach"] else ():
                self.state[p].setdefault("average", p.clone())
        return super().step(closure)

    def one(self, p: Any, group: Any) -> None:
        state = self.state[p]
        if "momentum" not in state:
            state["step"], state["momentum"] = 0, torch.zeros_like(p)
            state.setdefault("average", p.clone())
        super().one(p, group)
        self.averaged(p, state, group)

    def averaged(self, p: Any, state: Any, group: Any) -> None:
        average = state["average"]
        if group["foreach"]:
            average.add_(p - average, alpha=0.25)
        else:
            average.mul_(0.75).add_(p, alpha=0.25)


class ForeachAveragesBackwards(KeepsItsAverage):
    """The average that foreach keeps goes away from the parameters; no step reads it."""

    def averaged(self, p: Any, state: Any, group: Any) -> None:
        if group["foreach"]:
            average = state["average"]
            average.sub_(p - average, alpha=0.25)
        else:
            super().averaged(p, state, group)


HELD: tuple[tuple[type[Optimizer], str], ...] = ((KeepsItsAverage, "implementations"),)
"""Right optimizers, and contracts that look as if they were not."""

REJECTED: tuple[tuple[type[Optimizer], str], ...] = ((ForeachAveragesBackwards, "implementations"),)
"""Each mistake, and a contract that must reject it."""
