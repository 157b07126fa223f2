"""What enclosing a step costs, beside the raw optimizer step it checks.

Bounds: 1.6 microseconds an element for fp32 on a million elements, 5 milliseconds for one element. They are held
against processor time, of the fastest round: what a busy machine adds is not the enclosure's.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from verifier import enclosure, rules
from verifier.floats import FORMATS, Format

HYPER = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01, "momentum": 0.9, "alpha": 0.99}
PER_ELEMENT = 1.6e-6  # seconds
FIXED = 5e-3  # seconds
RULES = ("sgd", "adam", "adamw", "rmsprop")


def inputs(name: str, fmt: Format, count: int) -> dict[str, Any]:
    """The arguments of one step of `count` elements."""
    rule, rng = rules.get(name), np.random.default_rng(0)
    return {
        "theta": fmt.round(rng.standard_normal(count)),
        "grad": fmt.round(rng.standard_normal(count)),
        "state": {s.name: fmt.round(rng.random(count)) for s in rule.state},
        "hyper": {s.name: HYPER[s.name] for s in rule.hyper},
    }


def timed(benchmark: Any, name: str, fmt: Format, count: int) -> float:
    """The least processor time of a round, in seconds; the step number moves on, so no scalar is known beforehand."""
    arguments = inputs(name, fmt, count)
    numbers = iter(range(2, 10**9))
    spent: list[float] = []

    def once() -> None:
        before = time.process_time()
        enclosure.step(rules.get(name), fmt, **arguments, t=next(numbers))
        spent.append(time.process_time() - before)

    benchmark.pedantic(once, rounds=3 if count > 1000 else 30, warmup_rounds=1)
    benchmark.extra_info |= {"elements": count, "processor_seconds": min(spent)}
    return min(spent)


@pytest.mark.parametrize("name", RULES)
def test_a_million_elements_of_fp32(benchmark: Any, name: str) -> None:
    """At most 1.6 microseconds an element."""
    count = 1_000_000
    assert timed(benchmark, name, FORMATS["float32"], count) / count <= PER_ELEMENT


@pytest.mark.parametrize("name", RULES)
def test_one_element_of_fp32(benchmark: Any, name: str) -> None:
    """At most 5 milliseconds, whatever the size."""
    assert timed(benchmark, name, FORMATS["float32"], 1) <= FIXED


@pytest.mark.parametrize("fmt", ["float64", "bfloat16", "float16"])
def test_other_formats(benchmark: Any, fmt: str) -> None:
    """Adam in the other formats, for the record: fp64 is computed in long double."""
    assert timed(benchmark, "adam", FORMATS[fmt], 100_000) > 0


@pytest.mark.parametrize("implementation", ["forloop", "foreach", "fused"])
def test_the_raw_step_beside_it(benchmark: Any, implementation: str) -> None:
    """torch's own Adam step of a million fp32 elements on one thread, for the ratio."""
    import torch

    torch.set_num_threads(1)
    p = torch.zeros(1_000_000, requires_grad=True)
    p.grad = torch.ones_like(p)
    optimizer = torch.optim.Adam(
        [p], foreach=implementation == "foreach", fused=True if implementation == "fused" else None
    )
    benchmark.extra_info["elements"] = p.numel()
    benchmark.pedantic(optimizer.step, rounds=10, warmup_rounds=2)
    assert benchmark.stats.stats.min > 0
