"""One training step by each of the three paths, timed in pairs, and its peak memory.

A step is forward, backward and optimizer step of a network with weights and biases: with the L2 term in the loss
(`penalty`), with `weight_decay=2*lam`, or with parameter groups. Each path's steps are interleaved with steps by
`weight_decay`, so that what disturbs the machine disturbs both; `weight_decay` against itself is the control, which
says how much of a ratio is noise.
"""

from __future__ import annotations

import inspect
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from verifier.tutorial.exact import OPTIMIZERS
from verifier.tutorial.loop import l2, weights

PATHS = ("penalty", "weight_decay", "groups")

COUPLED = tuple(name for name in OPTIMIZERS if not name.startswith("adamw") and not name.endswith("_decoupled"))
"""The rules whose weight_decay is the penalty's; the others have nothing to be compared with."""

LAM = 2.0**-7


@dataclass(frozen=True)
class Size:
    """A network: the widths of its layers and how many samples a step sees."""

    name: str
    widths: tuple[int, ...]
    batch: int

    @property
    def parameters(self) -> int:
        return sum(a * b + b for a, b in zip(self.widths, self.widths[1:], strict=False))


SIZES = {
    size.name: size
    for size in (
        Size("small", (10, 1), 32),  # the tutorial's linear model
        Size("medium", (128, 128, 128, 1), 32),
        Size("large", (1024, 1024, 1024, 1), 32),
    )
}
"""11, 33 thousand and 2.1 million parameters."""


class Clock:
    """Seconds between `start` and `stop`: CUDA events with synchronisation on a GPU, the monotonic clock elsewhere."""

    def __init__(self, device: str) -> None:
        self.cuda = torch.device(device).type == "cuda"
        if self.cuda:
            event: Any = torch.cuda.Event
            self.first, self.last = event(enable_timing=True), event(enable_timing=True)
        self.started = 0.0

    def start(self) -> None:
        """Begins, with nothing left queued on the device."""
        if self.cuda:
            torch.cuda.synchronize()
            self.first.record()
        self.started = time.perf_counter()

    def stop(self) -> float:
        """The seconds since `start`, after the device has done all that was queued."""
        if not self.cuda:
            return time.perf_counter() - self.started
        self.last.record()
        self.last.synchronize()
        return float(self.first.elapsed_time(self.last)) / 1e3


class TrainingStep:
    """One path's training step on its own copy of the network; a call takes the step and keeps how long it took."""

    def __init__(
        self,
        rule: str,
        path: str,
        *,
        implementation: str = "forloop",
        size: Size = SIZES["medium"],
        device: str = "cpu",
        optimizers: Any = torch.optim,
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        layers: list[torch.nn.Module] = []
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)  # every path trains the same network
            for a, b in zip(size.widths, size.widths[1:], strict=False):
                layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1]).to(device)
        self.path, self.size, self.clock = path, size, Clock(device)
        self.x = torch.randn(size.batch, size.widths[0], generator=generator).to(device)
        self.y = torch.randn(size.batch, size.widths[-1], generator=generator).to(device)
        kind, options = OPTIMIZERS[rule]
        make, options = getattr(optimizers, kind), {**options, **choice(implementation)}
        groups: Any = list(self.model.parameters())
        if path == "groups":
            chosen = weights(self.model)
            biases = [p for p in groups if all(p is not q for q in chosen)]
            groups = [{"params": chosen}, {"params": biases, "weight_decay": 0.0}]
        decay = 0.0 if path == "penalty" else 2 * LAM
        self.optimizer = make(groups, lr=1e-4, weight_decay=decay, **options)
        self.seconds: list[float] = []

    def take(self) -> None:
        """Forward, backward and optimizer step; the gradients of the step before are gone."""
        loss = torch.nn.functional.mse_loss(self.model(self.x), self.y)
        if self.path == "penalty":
            loss = loss + l2(LAM, self.model.parameters()).to(loss.device)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        self.clock.start()
        self.take()
        self.seconds.append(self.clock.stop())

    def warm(self, steps: int = 3) -> float:
        """Takes some steps that do not count; the seconds of the fastest of them."""
        for _ in range(steps):
            self()
        fastest = min(self.seconds)
        self.seconds.clear()
        return fastest


def choice(implementation: str) -> dict[str, bool]:
    """The options that select an implementation of a torch optimizer."""
    return {"forloop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}[implementation]


def implementations(rule: str, device: str = "cpu") -> tuple[str, ...]:
    """The implementations torch has of the rule's class on `device`; whether a fused one exists is asked of torch."""
    kind, options = OPTIMIZERS[rule]
    make = getattr(torch.optim, kind)
    if "fused" not in inspect.signature(make).parameters:
        return ("forloop", "foreach")
    p = torch.zeros(1, device=device, requires_grad=True)
    p.grad = torch.zeros_like(p)
    try:
        make([p], lr=0.0, fused=True, **options).step()
    except (RuntimeError, NotImplementedError):  # torch's own refusal: no fused kernel for this device
        return ("forloop", "foreach")
    return ("forloop", "foreach", "fused")


def peak_bytes(step: TrainingStep, device: str) -> int:
    """The most memory one step holds at once above what stays between steps, in bytes: gradients, activations, scratch.

    CUDA: torch.cuda.max_memory_allocated. CPU: the allocations of torch's CPU allocator, from its profiler; memory
    that libraries take for themselves is not seen.
    """
    step.optimizer.zero_grad()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step.take()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler greets on stderr otherwise
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        step.take()
    held = most = 0
    for event in profile.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


@dataclass(frozen=True)
class Ratio:
    """The median of paired ratios and an interval that holds the true median with 99 % confidence or more."""

    median: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def median_interval(values: Sequence[float], confidence: float = 0.99) -> Ratio:
    """The median with its distribution-free interval, from order statistics (David & Nagaraja 2003, section 7.1).

    With fewer than 8 values no pair of them reaches 99 %, and the interval is the whole line.
    """
    ordered, n = sorted(values), len(values)
    if not n:
        raise ValueError("the median of no values")
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    tail, rank = 0.0, 0
    for k in range((n + 1) // 2):
        tail += math.comb(n, k) / 2**n
        if 2 * tail > 1 - confidence:
            break
        rank = k + 1
    if not rank:
        return Ratio(middle, -math.inf, math.inf, n)
    return Ratio(middle, ordered[rank - 1], ordered[n - rank], n)


def ratio(path: TrainingStep, control: TrainingStep) -> Ratio:
    """The seconds of `path` over those of `control`, pair by pair."""
    pairs = zip(path.seconds, control.seconds, strict=True)
    return median_interval([a / b for a, b in pairs])


def paired(path: TrainingStep, control: TrainingStep, rounds: int) -> Ratio:
    """The ratio over `rounds` pairs taken one after the other, the first of a pair changing each time."""
    for k in range(rounds):
        for step in (path, control) if k % 2 else (control, path):
            step()
    return ratio(path, control)


def told_apart(one: Mapping[str, float] | Ratio, control: Mapping[str, float] | Ratio) -> str:
    """`more` or `less` where a ratio's interval lies clear of the control's, `noise` where the two meet."""
    a, b = (r if isinstance(r, Ratio) else Ratio(r["median"], r["low"], r["high"], 0) for r in (one, control))
    return "more" if a.low > b.high else "less" if a.high < b.low else "noise"


def rounds_for(seconds: float, budget: float, least: int = 9, most: int = 61) -> int:
    """How many pairs of steps of `seconds` each fit the budget, within bounds; 9 are needed for an interval."""
    return max(least, min(most, int(budget / (2 * seconds))))
