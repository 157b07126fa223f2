"""Each class does one thing to its process that no optimizer should; alone, each is proven to do it."""

from __future__ import annotations

import os
import sys
import time
import warnings
from typing import Any

import torch
from torch.optim import SGD

from tests.broken.optimizers import Right


class Segfaults(SGD):
    def step(self, closure: Any = None) -> Any:
        os.kill(os.getpid(), 11)


class Exits(SGD):
    def step(self, closure: Any = None) -> Any:
        os._exit(0)


class SystemExits(SGD):
    def step(self, closure: Any = None) -> Any:
        sys.exit(0)


class Hangs(SGD):
    def step(self, closure: Any = None) -> Any:
        time.sleep(3600)


class Forks(SGD):
    def step(self, closure: Any = None) -> Any:
        os.fork()
        return super().step(closure)


class Floods(SGD):
    def step(self, closure: Any = None) -> Any:
        os.write(1, b"flood\n" * 100_000)
        print("flood" * 100_000)
        return super().step(closure)


class FillsMemory(SGD):
    def step(self, closure: Any = None) -> Any:
        self.hoard = [torch.empty(1 << 28) for _ in range(1 << 10)]
        return super().step(closure)


class ChangesSettings(SGD):
    def step(self, closure: Any = None) -> Any:
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(1)
        warnings.simplefilter("error")
        return super().step(closure)


class Monkeypatches(SGD):
    def step(self, closure: Any = None) -> Any:
        torch.equal = lambda *_: True  # type: ignore[assignment]
        torch.Tensor.reshape = torch.Tensor.flatten  # type: ignore[method-assign,assignment]
        return super().step(closure)


class CannotBePickled(SGD):
    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr=lr)
        self.schedule = lambda: lr


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class RaisesOddly(SGD):
    def step(self, closure: Any = None) -> Any:
        raise Unprintable


class RaisesBase(SGD):
    def step(self, closure: Any = None) -> Any:
        raise KeyboardInterrupt


class DiesLater(SGD):
    """The first thousand steps are fine; some row ends the process."""

    def step(self, closure: Any = None) -> Any:
        if any(p.dim() == 4 and p.dtype == torch.bfloat16 for g in self.param_groups for p in g["params"]):
            os._exit(7)
        return super().step(closure)


class HangsAtNaN(Right):
    """Waits for something else where a gradient is NaN."""

    def step(self, closure: Any = None) -> Any:
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        if any(bool(grad.isnan().any()) for grad in grads):
            time.sleep(3600)
        return super().step(closure)
