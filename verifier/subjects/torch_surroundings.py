"""The process around an optimizer: what one must leave as it found it, whether it did, and putting it back."""

from __future__ import annotations

import builtins
import contextlib
import copy
import decimal
import gc
import json
import locale
import math
import operator
import os
import random
import signal
import sys
import threading
import time
import types
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from verifier.subjects.torch_dynamo import set_deterministic

NAMESPACES: tuple[tuple[str, Any], ...] = (
    ("torch", torch),
    ("torch.Tensor", torch.Tensor),
    ("torch.optim", torch.optim),
    ("torch.optim.Optimizer", torch.optim.Optimizer),
    ("torch.nn.functional", torch.nn.functional),
    ("torch.autograd", torch.autograd),
    ("numpy", np),
    ("math", math),
    ("random", random),
    ("copy", copy),
    ("os", os),
    ("time", time),
    ("json", json),
    ("builtins", builtins),
)
"""Where nobody but their owners may assign: (name, module or class)."""

HOOKS: tuple[tuple[str, dict[Any, Any]], ...] = tuple(
    (f"hooks of every {kind}", hooks)
    for kind, owner in (("optimizer", "torch.optim.optimizer"), ("module", "torch.nn.modules.module"))
    for name, hooks in sorted(vars(sys.modules[owner]).items())
    if name.startswith("_global_") and isinstance(hooks, dict)
)
"""What torch calls at every step, or in every module, whoever registered it: (what it is, the hooks)."""

_OURS = frozenset({"_"})
"""`builtins._` belongs to the interactive prompt."""

_TORCHS = frozenset({"TORCHINDUCTOR_CACHE_DIR"})
"""What torch itself adds to `os.environ` when somebody compiles."""


def reseeds(subject: Any, case: Any) -> bool:
    """Whether a run leaves torch's random number generator in one state, whatever state it was in before."""
    from verifier.subjects.torch_life import Life

    generator = torch.default_generator
    before, after = generator.get_state(), []
    for seed in (1, 2):
        generator.manual_seed(seed)
        Life(subject, case).run()
        after.append(generator.get_state())
    generator.set_state(before)
    return torch.equal(*after)


@dataclass(frozen=True)
class Surroundings:
    """A snapshot; `changes` says what differs from it now, `restore` puts it back."""

    settings: dict[str, Any]
    filters: list[Any]
    environment: dict[str, str]
    generators: tuple[Any, Any, Any]
    names: tuple[dict[str, Any], ...]
    hooks: tuple[dict[Any, Any], ...]
    modules: dict[str, Any]
    paths: tuple[list[Any], ...]  # where imports look
    alarms: tuple[tuple[float, float], ...]  # of each timer: seconds until its signal, and between the next

    def changes(self) -> list[str]:
        """What differs now, a phrase each. Drawing random numbers is not a change."""
        now = snapshot()
        found = [
            f"{name} from {before} to {now.settings[name]}"
            for name, before in self.settings.items()
            if now.settings[name] != before
        ]
        if now.filters != self.filters:
            found.append("warnings.filters")
        if {name for name, _ in now.environment.items() ^ self.environment.items()} - _TORCHS:
            found.append("os.environ")
        found += sorted({what for (what, _), old, new in zip(HOOKS, self.hooks, now.hooks, strict=True) if old != new})
        for (where, _), before, after in zip(NAMESPACES, self.names, now.names, strict=True):
            if _as_it_was(before, after):
                continue
            for name in sorted(set(before) | set(after)):
                if name not in _OURS and before.get(name) is not after.get(name) and not _lazy(before, after, name):
                    found.append(f"{where}.{name}")
        return found

    def restore(self) -> None:
        """Puts everything back; names first, as they may be those of what puts settings back."""
        for (_, owner), before in zip(NAMESPACES, self.names, strict=True):
            after = vars(owner)
            if _as_it_was(before, after):
                continue
            for name in [n for n in after if n not in before and n not in _OURS and not _is_module(after[n])]:
                delattr(owner, name)
            for name, value in before.items():
                if after.get(name) is not value:
                    setattr(owner, name, value)
        for (_, hooks), before in zip(HOOKS, self.hooks, strict=True):
            if hooks != before:
                hooks.clear()
                hooks.update(before)
        if not all(map(operator.is_, map(sys.modules.get, self.modules), self.modules.values())):
            sys.modules.update(self.modules)
        for places, known in zip(_paths(), self.paths, strict=True):
            places[:] = [*known, *(place for place in places if place not in known)]
        now = dict(os.environ)
        for name in {name for name, _ in now.items() ^ self.environment.items()}:  # few: pytest's own, in every test
            if name in self.environment:
                os.environ[name] = self.environment[name]
            else:
                del os.environ[name]
        self.restore_settings()

    def restore_settings(self) -> None:
        """Puts back what modules need not keep that are imported: settings, filters and generators."""
        settings = self.settings
        torch.set_default_dtype(settings["the default dtype"])
        if torch.get_num_threads() != settings["the number of threads"]:
            torch.set_num_threads(settings["the number of threads"])
        strict, warn = settings["deterministic algorithms"]
        set_deterministic(strict, warn_only=warn)
        torch.set_grad_enabled(settings["grad mode"])
        torch.autograd.set_detect_anomaly(settings["anomaly mode"])
        if str(torch.get_default_device()) != settings["the default device"]:
            torch.set_default_device(None)
        if torch.is_autocast_enabled("cpu") != settings["autocast"]:
            torch.set_autocast_enabled("cpu", settings["autocast"])
        if torch.get_float32_matmul_precision() != settings["the precision of matrix products"]:
            torch.set_float32_matmul_precision(settings["the precision of matrix products"])
        if _flushes() != settings["flushing of subnormal numbers"]:
            torch.set_flush_denormal(settings["flushing of subnormal numbers"])
        self._restore_python()
        warnings.filters[:] = self.filters  # type: ignore[index]  # a list, whatever its stub says
        np.seterr(**settings["numpy's error handling"])
        torch.set_rng_state(self.generators[0])
        random.setstate(self.generators[1])
        np.random.set_state(self.generators[2])

    def _restore_python(self) -> None:
        """Puts back what belongs to the interpreter and its process."""
        settings = self.settings
        sys.setrecursionlimit(settings["the recursion limit"])
        sys.setswitchinterval(settings["the switch interval"])
        if _folder() != settings["the working directory"]:
            with contextlib.suppress(OSError):  # it is gone
                os.chdir(settings["the working directory"])
        (gc.enable if settings["garbage collection"] else gc.disable)()
        decimal.getcontext().prec, decimal.getcontext().rounding = settings["decimal arithmetic"]
        if locale.setlocale(locale.LC_ALL) != settings["the locale"]:
            locale.setlocale(locale.LC_ALL, settings["the locale"])
        sys.stdin, sys.stdout, sys.stderr = settings["the standard streams"]
        sys.excepthook, threading.excepthook = settings["the hooks for exceptions"]
        sys.exit = settings["sys.exit"]
        trace, profile = settings["tracing"]
        if sys.gettrace() is not trace:
            sys.settrace(trace)
        if sys.getprofile() is not profile:
            sys.setprofile(profile)
        if threading.current_thread() is threading.main_thread():
            if _alarms() != settings["the timers that are set"]:
                for timer, ends in zip(TIMERS.values(), self.alarms, strict=True):
                    signal.setitimer(timer, *ends)
            for number, handler in zip(SIGNALS, settings["the handlers of signals"], strict=True):
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD, signal.SIGPIPE,
           signal.SIGPROF, signal.SIGVTALRM)  # fmt: skip
"""Signals whose handlers are put back."""

TIMERS = {"real": signal.ITIMER_REAL, "virtual": signal.ITIMER_VIRTUAL, "profiling": signal.ITIMER_PROF}
"""What sends a signal when its time is over: ours, or that of our computing."""


def _alarms() -> tuple[str, ...]:
    """The timers that will send a signal."""
    return tuple(name for name, timer in TIMERS.items() if signal.getitimer(timer)[0] > 0)


def _folder() -> str:
    """The working directory; empty where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


_SMALLEST = torch.full((1,), torch.finfo(torch.float32).tiny)


def _paths() -> tuple[list[Any], ...]:
    """What importing reads: what a target adds is left there, what it takes away is put back."""
    return sys.path, sys.meta_path, sys.path_hooks


def _flushes() -> bool:
    """Whether subnormal results are flushed to zero."""
    return float(_SMALLEST * 0.5) == 0.0


def _python() -> dict[str, Any]:
    """Settings of the interpreter and its process."""
    return {
        "the recursion limit": sys.getrecursionlimit(),
        "the switch interval": sys.getswitchinterval(),
        "the working directory": _folder(),
        "garbage collection": gc.isenabled(),
        "decimal arithmetic": (decimal.getcontext().prec, decimal.getcontext().rounding),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the standard streams": (sys.stdin, sys.stdout, sys.stderr),
        "the hooks for exceptions": (sys.excepthook, threading.excepthook),
        "sys.exit": sys.exit,
        "tracing": (sys.gettrace(), sys.getprofile()),
        "the timers that are set": _alarms(),
        "the handlers of signals": tuple(signal.getsignal(number) for number in SIGNALS),
    }


def snapshot() -> Surroundings:
    """The process as it is now."""
    return Surroundings(
        settings={
            "the default dtype": torch.get_default_dtype(),
            "the number of threads": torch.get_num_threads(),
            "deterministic algorithms": (
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            ),
            "grad mode": torch.is_grad_enabled(),
            "anomaly mode": torch.is_anomaly_enabled(),
            "the default device": str(torch.get_default_device()),
            "autocast": torch.is_autocast_enabled("cpu"),
            "the precision of matrix products": torch.get_float32_matmul_precision(),
            "flushing of subnormal numbers": _flushes(),
            "numpy's error handling": np.geterr(),
            **_python(),
        },
        filters=list(warnings.filters),
        environment=dict(os.environ),
        generators=(torch.get_rng_state(), random.getstate(), np.random.get_state()),
        names=tuple(dict(vars(owner)) for _, owner in NAMESPACES),
        hooks=tuple(dict(hooks) for _, hooks in HOOKS),
        modules=dict(sys.modules),
        paths=tuple(map(list, _paths())),
        alarms=tuple(signal.getitimer(timer) for timer in TIMERS.values()),
    )


def _as_it_was(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the same objects are in the same places, so under the same names: quick to see."""
    return len(after) == len(before) and all(map(operator.is_, after.values(), before.values()))


def _is_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType)


def _lazy(before: dict[str, Any], after: dict[str, Any], name: str) -> bool:
    """Whether a name appeared because a submodule was imported, which is no change."""
    return name not in before and _is_module(after[name])
