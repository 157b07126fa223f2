"""Parameters that rest under an option: in turns, which is right, and as a count of parameters has it, which is not."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from tests.broken.optimizers import Right


class MovesInTurns(Right):
    """In every step one of so many parts of a group's parameters moves: right."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9, blocks: int = 1) -> None:
        if blocks < 1:
            raise ValueError("a hyperparameter is out of range")
        super().__init__(params, lr, momentum)
        self.defaults["blocks"] = blocks
        for group in self.param_groups:
            group.setdefault("blocks", blocks)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = self.evaluated(closure)
        for group in self.param_groups:
            turn = group.get("turn", 0)
            for place, p in enumerate(group["params"]):
                if p.grad is not None and self.is_due(turn, place, len(group["params"]), group["blocks"]):
                    self.one(p, group)
            group["turn"] = turn + 1
        return loss

    def is_due(self, turn: int, place: int, count: int, blocks: int) -> bool:
        return turn % blocks == place % blocks


class MovesAllAtOnce(MovesInTurns):
    """Takes the number of parts, and moves all of them: right, as far as its promises go."""

    def is_due(self, turn: int, place: int, count: int, blocks: int) -> bool:
        return True


class CountsParametersForSteps(MovesInTurns):
    """What should move in every so many steps moves when so many parameters were stepped."""

    def is_due(self, turn: int, place: int, count: int, blocks: int) -> bool:
        return (turn * count + place + 1) % blocks == 0


class LeavesTheSecond(MovesInTurns):
    """With several parts, the second parameter is left out."""

    def is_due(self, turn: int, place: int, count: int, blocks: int) -> bool:
        return blocks == 1 or place != 1


HELD: tuple[tuple[type[Optimizer], str], ...] = (
    (MovesInTurns, "order"),
    (MovesInTurns, "partition"),
    (MovesInTurns, "all_parameters"),
)
"""Right optimizers, and contracts that look as if they were not."""

REJECTED: tuple[tuple[type[Optimizer], str], ...] = (
    (CountsParametersForSteps, "empty_parameters"),
    (LeavesTheSecond, "order"),
    (LeavesTheSecond, "all_parameters"),
)
"""Each mistake, and a contract that must reject it."""
