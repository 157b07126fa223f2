"""The process around an optimizer: what changed in it is named, and put back."""

from __future__ import annotations

import decimal
import gc
import json
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch._dynamo  # whatever imports it first changes the environment: here, and not in the midst of a test
from torch.optim.optimizer import register_optimizer_step_pre_hook

from verifier.subjects.torch_surroundings import snapshot

CHANGES: dict[str, Callable[[], object]] = {
    "hooks of every optimizer": lambda: register_optimizer_step_pre_hook(print),
    "hooks of every module": lambda: torch.nn.modules.module.register_module_forward_hook(print),
    "the default dtype": lambda: torch.set_default_dtype(torch.float64),
    "the default device": lambda: torch.set_default_device("meta"),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "grad mode": lambda: torch.set_grad_enabled(False),
    "anomaly mode": lambda: torch.autograd.set_detect_anomaly(True),
    "autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "the precision of matrix products": lambda: torch.set_float32_matmul_precision("medium"),
    "flushing of subnormal numbers": lambda: torch.set_flush_denormal(True),
    "numpy's error handling": lambda: np.seterr(all="raise"),
    "the recursion limit": lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 1),
    "the switch interval": lambda: sys.setswitchinterval(0.25),
    "garbage collection": gc.disable,
    "decimal arithmetic": lambda: setattr(decimal.getcontext(), "prec", 3),
    "the standard streams": lambda: setattr(sys, "stdout", sys.stderr),
    "the hooks for exceptions": lambda: setattr(threading, "excepthook", print),
    "sys.exit": lambda: setattr(sys, "exit", print),
    "json.dumps": lambda: setattr(json, "dumps", str),
    "tracing": lambda: sys.setprofile(lambda *_: None),
    "the timers that are set": lambda: signal.setitimer(
        signal.ITIMER_REAL, 0 if signal.getitimer(signal.ITIMER_REAL)[0] else 3600
    ),
    "the handlers of signals": lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
    "warnings.filters": lambda: warnings.simplefilter("error"),
    "os.environ": lambda: os.environ.update(LR="1"),
    "torch.equal": lambda: setattr(torch, "equal", lambda *_: True),
    "torch.Tensor.reshape": lambda: setattr(torch.Tensor, "reshape", torch.Tensor.flatten),
    "time.monotonic": lambda: setattr(time, "monotonic", lambda: 0.0),
    "numpy.float32": lambda: setattr(np, "float32", np.float64),
    "builtins.sum": lambda: setattr(__import__("builtins"), "sum", max),
    "torch.nothing_like_it": lambda: setattr(torch, "nothing_like_it", 1),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_named_and_put_back(what: str) -> None:
    """Each thing a target may change is named, and is as it was after it was put back."""
    before = snapshot()
    assert [] == before.changes()

    CHANGES[what]()
    try:
        said = before.changes()
    finally:
        before.restore()

    named = [one.partition(" from ")[0] for one in said]
    assert [what] == [name for name in named if name != "torch.Storage"]  # which follows the default dtype
    assert [] == before.changes()


@pytest.mark.parametrize("timer", [signal.ITIMER_VIRTUAL, signal.ITIMER_PROF])
def test_a_timer_that_was_set_is_stopped(timer: int) -> None:
    """A timer that counts what we compute would end the process in the middle of another row."""
    before = snapshot()

    signal.setitimer(timer, 3600)
    try:
        said = before.changes()
    finally:
        before.restore()

    assert ["the timers that are set"] == [one.partition(" from ")[0] for one in said]
    assert 0.0 == signal.getitimer(timer)[0]


def test_a_folder_that_was_left_is_gone_back_to(tmp_path: Path) -> None:
    """The working directory too, where the one that was gone to is there no longer."""
    before = snapshot()
    inside = tmp_path / "inside"
    inside.mkdir()

    os.chdir(inside)
    inside.rmdir()
    said = before.changes()
    before.restore()

    assert "the working directory" == said[0].partition(" from ")[0]
    assert [] == before.changes()


def test_modules_and_where_they_are_looked_for_are_put_back() -> None:
    """What was taken away or replaced is there again; what was imported or added meanwhile stays."""
    before, finders, places = snapshot(), list(sys.meta_path), list(sys.path)
    sys.modules["json"] = sys.modules["decimal"] = None  # type: ignore[assignment]
    sys.modules["brought along"] = json
    sys.meta_path.clear()
    sys.path[:] = ["somewhere else"]
    before.restore()

    assert (json, decimal, json) == tuple(sys.modules.pop(n) for n in ("json", "decimal", "brought along"))
    sys.modules.update(json=json, decimal=decimal)
    assert (finders, [*places, "somewhere else"]) == (sys.meta_path, sys.path)
    sys.path.pop()


def test_random_numbers_are_drawn_again() -> None:
    """Drawing is no change; generators are put back all the same."""
    before = snapshot()
    drawn = torch.rand(3).tolist(), random.random(), np.random.rand()

    assert [] == before.changes()
    before.restore()

    assert drawn == (torch.rand(3).tolist(), random.random(), np.random.rand())
