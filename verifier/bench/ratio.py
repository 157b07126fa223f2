"""What the penalty costs against weight_decay: read from a benchmark report, or measured in a second or two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from verifier.bench import paths as bench_paths
from verifier.bench import table as bench_table
from verifier.bench.paths import SIZES, Ratio, TrainingStep
from verifier.evidence import Verdict
from verifier.tutorial.algebra import Finding

ROUNDS = 61


def finding(optimizers: Any, device: str, benchmarks: Path | None = None) -> Finding:
    """Whether weight_decay's training step takes less time than the penalty's, and what memory each holds at most.

    Held where a time ratio lies clear of its control, violated where the penalty is the cheaper one, inconclusive where
    noise hides it. Memory is reported as it is and decides nothing: the claim is about terms, autograd and time.
    """
    if benchmarks is not None and benchmarks.exists() and optimizers is torch.optim:
        recorded = _recorded(benchmarks, device)
        if recorded is not None:
            return recorded
    return _measured(optimizers, device)


def _recorded(path: Path, device: str) -> Finding | None:
    """What the report at `path` says of `device`; None where it has no such rows, or is of another torch."""
    data = bench_table.read(path)
    measured_with = data.get("machine_info", {}).get("verifier", {}).get("torch")
    rows = {key: paths for key, paths in bench_table.steps(data).items() if key[0] == device}
    if not rows or measured_with != torch.__version__:
        return None
    words = [bench_table.told_apart(p["penalty"]["ratio"], p["weight_decay"]["ratio"]) for p in rows.values()]
    more, less, noise = (words.count(word) for word in ("more", "less", "noise"))
    bytes_ = [p["penalty"]["peak_bytes"] / p["weight_decay"]["peak_bytes"] for p in rows.values()]
    said = (
        f"of {len(rows)} paired benchmarks on {device} the penalty's step takes longer in {more}, less long in {less}, "
        f"{noise} too noisy to tell; its peak memory is {min(bytes_):.2f} to {max(bytes_):.2f} times weight_decay's "
        f"({path.name})"
    )
    if not more and not less:
        return Finding(Verdict.INCONCLUSIVE, said)
    return Finding(Verdict.HELD if more > less else Verdict.VIOLATED, said)


def _measured(optimizers: Any, device: str) -> Finding:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        time, control, memory = measure(optimizers, device)
    finally:
        torch.set_num_threads(threads)
    word = bench_paths.told_apart(time, control)
    said = (
        f"a step of SGD with the penalty takes {time} times as long as one with weight_decay on {device} "
        f"(control {control}, {time.pairs} pairs), its peak memory is {memory:.2f} times as large"
    )
    verdicts = {"more": Verdict.HELD, "less": Verdict.VIOLATED, "noise": Verdict.INCONCLUSIVE}
    return Finding(verdicts[word], said if word != "noise" else f"{said}: too noisy to tell")


def measure(optimizers: Any, device: str, rounds: int = ROUNDS) -> tuple[Ratio, Ratio, float]:
    """Time of penalty over weight_decay, the control (weight_decay over itself), and the ratio of peak memories."""

    def step(path: str) -> TrainingStep:
        made = TrainingStep("sgd", path, size=SIZES["medium"], device=device, optimizers=optimizers)
        made.warm()
        return made

    penalty, decay = step("penalty"), step("weight_decay")
    time = bench_paths.paired(penalty, decay, rounds)
    control = bench_paths.paired(step("weight_decay"), step("weight_decay"), rounds)
    peaks = [bench_paths.peak_bytes(one, device) for one in (penalty, decay)]
    return time, control, peaks[0] / peaks[1]
