"""Each class does one thing to its process that no optimizer should; alone, each is proven to do it."""

from __future__ import annotations

import atexit
import contextlib
import decimal
import faulthandler
import gc
import os
import re
import resource
import signal
import sys
import threading
import time
import warnings
from typing import Any

import numpy as np
import torch
from torch.optim import SGD
from torch.optim.optimizer import register_optimizer_step_pre_hook

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
        self.defaults["schedule"] = lambda: lr


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


def late(optimizer: Any) -> bool:
    """Whether a gradient of bfloat16 is NaN: long after everything else went well."""
    grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    return any(grad.dtype is torch.bfloat16 and bool(grad.isnan().any()) for grad in grads)


class HangsAtNaN(Right):
    """Waits for something else where a bfloat16 gradient is NaN."""

    def step(self, closure: Any = None) -> Any:
        if late(self):
            time.sleep(3600)
        return super().step(closure)


class ExitsAtStateDict(Right):
    """Leaves the interpreter when it is saved."""

    def state_dict(self) -> Any:
        sys.exit(3)


class InterruptsAtStateDict(Right):
    """Says Ctrl-C when it is saved."""

    def state_dict(self) -> Any:
        raise KeyboardInterrupt


class ForksAtStateDict(Right):
    """Two processes come out of saving."""

    def state_dict(self) -> Any:
        os.fork()
        return super().state_dict()


class KillsItsParent(SGD):
    def step(self, closure: Any = None) -> Any:
        os.kill(os.getppid(), signal.SIGKILL)
        return super().step(closure)


class LeavesADaemon(Right):
    """Where a bfloat16 gradient is NaN, it leaves a process that hides in a session of its own."""

    def step(self, closure: Any = None) -> Any:
        if late(self) and os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(0)
        return super().step(closure)


HOARD: list[torch.Tensor] = []


class Hoards(Right):
    """Keeps half a megabyte of every step, for as long as its process lives."""

    def step(self, closure: Any = None) -> Any:
        HOARD.append(torch.ones(1 << 17))
        return super().step(closure)


class CannotSayWhy(Right):
    """What it raises when it is loaded cannot be printed."""

    def load_state_dict(self, state_dict: Any) -> None:
        raise Unprintable


class StopsItself(Right):
    """Stops its process, timers and all, where a bfloat16 gradient is NaN."""

    def step(self, closure: Any = None) -> Any:
        if late(self):
            os.kill(os.getpid(), signal.SIGSTOP)
        return super().step(closure)


class KillsLater(Right):
    """Where a bfloat16 gradient is NaN, it leaves a thread that ends the process, in whatever row that then is."""

    def step(self, closure: Any = None) -> Any:
        if late(self):
            threading.Timer(0.5, os._exit, (9,)).start()
        return super().step(closure)


class ChangesPython(Right):
    """Changes what belongs to the interpreter and its process."""

    def step(self, closure: Any = None) -> Any:
        sys.setrecursionlimit(5000)
        gc.disable()
        os.environ["LR"] = "1"
        os.chdir("/")
        decimal.getcontext().prec = 3
        np.seterr(all="raise")
        sys.stdout = sys.stderr
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 3600)
        time.monotonic = lambda: 0.0  # type: ignore[assignment]
        faulthandler.disable()
        return super().step(closure)


class ChangesTorch(Right):
    """Changes how torch computes and where."""

    def step(self, closure: Any = None) -> Any:
        found = super().step(closure)
        torch.set_flush_denormal(True)
        torch.set_default_device("meta")
        torch.autograd.set_detect_anomaly(True)
        torch.set_autocast_enabled("cpu", True)
        torch.set_float32_matmul_precision("medium")
        torch.set_num_threads(7)
        return found


class ChangesOthers(Right):
    """Has every other optimizer raise, and every module do something more; takes away what others import."""

    def step(self, closure: Any = None) -> Any:
        found = super().step(closure)
        register_optimizer_step_pre_hook(lambda other, *_: None if type(other) is type(self) else 1 / 0)
        torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
        if late(self):
            sys.modules["json"] = sys.modules["random"] = None  # type: ignore[assignment]
            sys.meta_path.clear()
        return found


class ClosesStreams(Right):
    """Closes what everybody writes to."""

    def step(self, closure: Any = None) -> Any:
        for number in (0, 1, 2):
            with contextlib.suppress(OSError):
                os.close(number)
        return super().step(closure)


class SaysNoText(Right):
    """Where a bfloat16 gradient is NaN, it raises an error whose words no encoding and no terminal has."""

    def step(self, closure: Any = None) -> Any:
        if late(self):
            raise OSError("bad \udcff \x00 \x1b[31mred <b>&")
        return super().step(closure)


class DiesWhenLoaded(Right):
    """Crashes where a state_dict is loaded."""

    def load_state_dict(self, state_dict: Any) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class LowersLimits(Right):
    """Where a bfloat16 gradient is NaN, its process may open no more files, and take one second more."""

    def step(self, closure: Any = None) -> Any:
        if late(self):
            resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1, resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
        return super().step(closure)


class HasNoStreams(Right):
    """Leaves its process no streams to write to, read from or flush."""

    def step(self, closure: Any = None) -> Any:
        sys.stdin = sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None  # type: ignore[assignment,misc]
        return super().step(closure)


class Wordless(type):
    """A kind of class that does not say what its constructor takes."""

    @property
    def __signature__(cls) -> str:
        return "none"


class HasNoSignature(Right, metaclass=Wordless):
    """Cannot be asked for the arguments of its constructor."""


class RaisesInDel(Right):
    """Raises when it is collected, which Python prints and ignores."""

    def __del__(self) -> None:
        raise SystemExit(4)


class EndsAtExit(Right):
    """Leaves work for the end of the process."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9) -> None:
        super().__init__(params, lr=lr, momentum=momentum)
        atexit.register(time.sleep, 3600)


class Recurses(SGD):
    def step(self, closure: Any = None) -> Any:
        return self.step(closure)


class StopsIteration(SGD):
    def step(self, closure: Any = None) -> Any:
        raise StopIteration


class ExitsGenerators(SGD):
    def step(self, closure: Any = None) -> Any:
        raise GeneratorExit


class DiesWhenBuilt(SGD):
    def __init__(self, params: Any, lr: float = 0.1) -> None:
        os._exit(5)


class HoldsTheLock(Right):
    """Computes for hours in one instruction, under the interpreter's lock, where a bfloat16 gradient is NaN."""

    def step(self, closure: Any = None) -> Any:
        if late(self):
            re.match(r"(a+)+b", "a" * 64)
        return super().step(closure)


class _Liar(type):
    """A class whose name is not what it says."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no name")


class Nameless(Right, metaclass=_Liar):
    """Its class raises when it is asked its name."""
