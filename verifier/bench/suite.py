"""The benchmark of the three paths, as pytest-benchmark runs it: one row a rule, implementation, size and path.

Each round takes a step by `weight_decay` and then one by the row's own path; the row of `weight_decay` itself is the
control. Ratios, their intervals and peak memory go into the row's `extra_info`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
import torch

from verifier.bench import paths as bench_paths
from verifier.bench.paths import COUPLED, PATHS, SIZES, TrainingStep, implementations

BUDGET = {"smoke": 0.06, "ci": 0.9, "nightly": 2.0}
"""Seconds of paired steps a row, by profile."""

SMOKE_RULES = ("sgd", "sgd_momentum", "adam")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One row for each rule, implementation, size and path that there is on the devices asked for."""
    if "row" not in metafunc.fixturenames:
        return
    asked = metafunc.config.getoption("--verifier-device", "cpu")
    devices = ("cpu", "cuda") if asked == "all" else (asked,)
    profile = metafunc.config.getoption("--verifier-profile", "smoke")
    found = [row for device in devices for row in rows(device, profile)]
    metafunc.parametrize("row", found, ids=["-".join(row) for row in found])


def rows(device: str, profile: str) -> Iterator[tuple[str, str, str, str, str]]:
    """(device, size, rule, implementation, path) of each row; on a device that is not here the for-loop rows alone."""
    there = device == "cpu" or torch.cuda.is_available()
    for rule in SMOKE_RULES if profile == "smoke" else COUPLED:
        for implementation in implementations(rule, device) if there else ("forloop",):
            for size in SIZES:
                for path in PATHS:
                    yield device, size, rule, implementation, path


def test_training_step(benchmark: Any, request: pytest.FixtureRequest, row: tuple[str, str, str, str, str]) -> None:
    """One training step of a rule by one path, each paired with a step by weight_decay."""
    device, size, *_ = row
    if device != "cpu" and not torch.cuda.is_available():
        pytest.skip(f"untestable: no CUDA device (torch {torch.__version__})")
    benchmark.group = f"training step, {size}, {device}"
    benchmark.name = "-".join(row)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a step's time is then its work, not the scheduler's luck
    try:
        _measure(benchmark, row, BUDGET[request.config.getoption("--verifier-profile", "smoke")])
    finally:
        torch.set_num_threads(threads)


def _measure(benchmark: Any, row: tuple[str, str, str, str, str], budget: float) -> None:
    device, size, rule, implementation, path = row
    options: dict[str, Any] = {"implementation": implementation, "size": SIZES[size], "device": device}
    step, control = TrainingStep(rule, path, **options), TrainingStep(rule, "weight_decay", **options)
    fastest = max(step.warm(), control.warm())
    rounds = bench_paths.rounds_for(fastest, budget)
    benchmark.pedantic(step, setup=control, rounds=rounds, iterations=1)
    pairs = min(len(step.seconds), len(control.seconds))
    if pairs < rounds:  # benchmarks are disabled: one plain call, nothing to compare
        return
    ratio = bench_paths.ratio(step, control)
    benchmark.extra_info.update(
        device=device,
        size=size,
        rule=rule,
        implementation=implementation,
        path=path,
        parameters=SIZES[size].parameters,
        clock="CUDA events, synchronised" if step.clock.cuda else "perf_counter",
        seconds=asdict(bench_paths.median_interval(step.seconds)),
        ratio=asdict(ratio),
        peak_bytes=bench_paths.peak_bytes(step, device),
    )
