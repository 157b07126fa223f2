"""Benchmarks that say when not to be believed: intervals, controls, tables, comparison, and the run itself."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from verifier.bench import paths as bench_paths
from verifier.bench import ratio as bench_ratio
from verifier.bench import run as bench
from verifier.bench import suite as bench_suite
from verifier.bench import table as bench_table
from verifier.bench.paths import COUPLED, PATHS, SIZES, Ratio, TrainingStep, median_interval
from verifier.errors import UsageError
from verifier.evidence import Verdict


def test_the_median_interval_holds_the_median_as_often_as_it_says() -> None:
    """Over many samples of a skewed law, the interval misses the true median at most 1 time in 100."""
    generator, missed = np.random.default_rng(0), 0
    for _ in range(2000):
        found = median_interval(generator.exponential(size=21).tolist())
        missed += not found.low <= math.log(2) <= found.high
    assert missed <= 40  # 20 expected at most; 40 has probability below 1e-4


def test_the_median_interval_is_an_order_statistic() -> None:
    """Nine values reach 99 % only from end to end; seven do not reach it at all, and say so."""
    values = [3.0, 1.0, 2.0, 9.0, 5.0, 4.0, 7.0, 8.0, 6.0]
    assert median_interval(values) == Ratio(5.0, 1.0, 9.0, 9)
    few = median_interval(values[:7])
    assert (few.low, few.high) == (-math.inf, math.inf)
    assert "too few" in bench_table.spread({"median": few.median, "low": few.low, "high": few.high})
    with pytest.raises(ValueError, match="no values"):
        median_interval([])


@pytest.mark.parametrize(
    ("low", "high", "word"), [(1.2, 1.4, "more"), (0.7, 0.9, "less"), (0.9, 1.2, "noise"), (1.04, 1.3, "noise")]
)
def test_a_ratio_is_told_apart_from_its_control_alone(low: float, high: float, word: str) -> None:
    """A ratio says something where its interval is clear of the control's, and is noise where the two meet."""
    one, control = Ratio((low + high) / 2, low, high, 20), Ratio(1.0, 0.95, 1.05, 20)
    assert bench_paths.told_apart(one, control) == word
    assert bench_table.told_apart(vars(one), vars(control)) == word


@pytest.mark.parametrize("rule", COUPLED)
def test_the_three_paths_take_the_same_step(rule: str) -> None:
    """What is timed is one and the same training: from equal parameters the paths end at equal bits (lam is dyadic)."""
    ends = []
    for path in ("penalty", "weight_decay"):
        step = TrainingStep(rule, path, size=SIZES["small"])
        for _ in range(3):
            step()
        ends.append([p.detach().clone() for p in step.model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_groups_decay_weights_alone() -> None:
    """The groups path decays what is no bias."""
    step = TrainingStep("sgd", "groups", size=SIZES["medium"])
    decays = {p.ndim: g["weight_decay"] for g in step.optimizer.param_groups for p in g["params"]}
    assert decays == {2: 2 * bench_paths.LAM, 1: 0.0}


def test_implementations_are_asked_of_torch() -> None:
    """SGD and Adam have fused kernels on CPU; Adamax has none anywhere."""
    assert bench_paths.implementations("adam") == ("forloop", "foreach", "fused")
    assert bench_paths.implementations("adamax") == ("forloop", "foreach")


def test_peak_memory_counts_what_a_step_allocates() -> None:
    """The peak of a step covers its gradients, and one big tensor more shows as exactly its bytes more."""
    plain = TrainingStep("sgd", "weight_decay", size=SIZES["medium"])
    plain.warm()
    seen = bench_paths.peak_bytes(plain, "cpu")
    assert seen >= 4 * SIZES["medium"].parameters

    class Hoarding(TrainingStep):
        def take(self) -> None:
            """Holds a million floats while it steps."""
            held = torch.empty(1_000_000)
            super().take()
            del held

    hoarding = Hoarding("sgd", "weight_decay", size=SIZES["medium"])
    hoarding.warm()
    assert bench_paths.peak_bytes(hoarding, "cpu") == seen + 4_000_000


class FakeEvent:
    """A CUDA event on a device whose clock runs 3 ms a record."""

    log: ClassVar[list[str]] = []

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self.at = 0.0

    def record(self) -> None:
        """Notes the time."""
        self.log.append("record")
        self.at = 3.0 * self.log.count("record")

    def synchronize(self) -> None:
        """Waits for the event."""
        self.log.append("wait")

    def elapsed_time(self, other: FakeEvent) -> float:
        """Milliseconds between two records."""
        return other.at - self.at


def test_cuda_is_timed_by_events_and_synchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA nothing is queued when the clock starts, and the last event is waited for before it is read."""
    FakeEvent.log.clear()
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: FakeEvent.log.append("synchronize"))
    clock = bench_paths.Clock("cuda")
    clock.start()
    FakeEvent.log.append("step")
    assert clock.stop() == 3e-3
    assert FakeEvent.log == ["synchronize", "record", "step", "record", "wait"]


def test_cuda_memory_is_the_allocators_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA the peak is max_memory_allocated since a reset, above what was there before the step."""
    step = TrainingStep("sgd", "weight_decay", size=SIZES["small"])
    calls: list[str] = []
    for name, value in {"memory_allocated": 100, "max_memory_allocated": 175}.items():
        monkeypatch.setattr(torch.cuda, name, lambda name=name, value=value: calls.append(name) or value)
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda name=name: calls.append(name))
    assert bench_paths.peak_bytes(step, "cuda") == 75
    expected = ["synchronize", "memory_allocated", "reset_peak_memory_stats", "synchronize", "max_memory_allocated"]
    assert calls == expected


def test_pairs_alternate() -> None:
    """Each round times both paths once, and the order changes, so that neither always comes second."""
    order: list[str] = []

    class Noted(TrainingStep):
        def __call__(self) -> None:
            order.append(self.path)
            super().__call__()

    pair = [Noted("sgd", path, size=SIZES["small"]) for path in ("penalty", "weight_decay")]
    ratio = bench_paths.paired(pair[0], pair[1], 4)
    assert order == ["weight_decay", "penalty", "penalty", "weight_decay"] * 2
    assert ratio.pairs == 4


def test_rounds_fit_the_budget() -> None:
    """Slow steps get the nine pairs an interval needs, fast ones no more than their share."""
    assert bench_paths.rounds_for(1.0, 0.4) == 9
    assert bench_paths.rounds_for(0.01, 0.4) == 20
    assert bench_paths.rounds_for(1e-6, 0.4) == 61


def test_every_path_has_its_rows() -> None:
    """The full profile has every coupled rule, implementation, size and path; smoke a few rules of it."""
    full, smoke = list(bench_suite.rows("cpu", "ci")), list(bench_suite.rows("cpu", "smoke"))
    assert {row[2] for row in full} == set(COUPLED)
    assert {row[1] for row in full} == set(SIZES)
    assert {row[4] for row in full} == set(PATHS)
    assert set(smoke) < set(full)


def measured(name: str, path: str, ratio: tuple[float, float, float], peak: int, **stats: float) -> dict[str, Any]:
    """A row of pytest-benchmark as the training step writes it."""
    median, low, high = ratio
    usual = {"median": 1e-3, "q1": 0.9e-3, "q3": 1.1e-3, "mean": 1e-3, "stddev": 1e-5, "rounds": 20}
    extra = {
        "device": "cpu",
        "size": "small",
        "rule": "sgd",
        "implementation": "foreach",
        "path": path,
        "parameters": 11,
        "seconds": {"median": 1e-3, "low": 1e-3, "high": 1e-3},
        "ratio": {"median": median, "low": low, "high": high, "pairs": 20},
        "peak_bytes": peak,
    }
    return {"name": name, "group": "step", "stats": usual | stats, "extra_info": extra}


def report(penalty: tuple[float, float, float] = (1.6, 1.5, 1.7), cpu: str = "A", **stats: float) -> dict[str, Any]:
    """A small benchmarks.json: the three paths of one rule, and a benchmark of another kind."""
    rows: Sequence[dict[str, Any]] = [
        measured("penalty", "penalty", penalty, 3000, **stats),
        measured("decay", "weight_decay", (1.0, 0.98, 1.02), 2000),
        measured("groups", "groups", (1.05, 1.03, 1.06), 2048),
    ]
    usual = {"median": 2e-6, "q1": 1.9e-6, "q3": 2.1e-6, "mean": 2e-6, "stddev": 5e-7, "rounds": 100}
    other = {"name": "test_enclosure", "group": "enclosure", "stats": usual, "extra_info": {"elements": 1000}}
    machine = {"cpu": {"brand_raw": cpu}, "verifier": {"torch": torch.__version__}}
    return {"machine_info": machine, "benchmarks": [*rows, other]}


def test_the_table_shows_ratios_with_their_spread() -> None:
    """A row carries the ratio, its interval, its control and what may be said of it; other groups come along."""
    text = bench_table.markdown(report())
    assert "| sgd, foreach | 1 ms | 1.60 (1.50 to 1.70) | costs more | 1.05 (1.03 to 1.06) |" in text
    assert "1.00 (0.98 to 1.02)" in text and "2.9 KiB/2.0 KiB/2.0 KiB | 1.50 |" in text
    assert "## enclosure" in text and "elements 1000" in text


def test_a_noisy_row_says_so() -> None:
    """A ratio that its control covers is too noisy to tell, and so is a benchmark whose deviation is above pyperf's."""
    text = bench_table.markdown(report(penalty=(1.1, 0.9, 1.4)))
    assert "too noisy to tell" in text and "costs more" not in text
    assert "| test_enclosure | 2 us | 1.9 us to 2.1 us | 100 | too noisy |" in text


def test_changes_are_told_from_noise() -> None:
    """Times whose quartiles meet are no change; others are, with their direction; ratios and memory likewise."""
    slow = {"median": 2e-3, "q1": 1.9e-3, "q3": 2.1e-3}
    same = "\n".join(bench_table.compared(report(), report()))
    changed = "\n".join(bench_table.compared(report(), report(penalty=(3.0, 2.9, 3.1), **slow)))
    assert "4 benchmarks in both reports, 0 figures changed" in same
    assert "| penalty | time | 1 ms | 2 ms | slower, 2.00 x |" in changed
    assert "| penalty | ratio | 1.60 (1.50 to 1.70) | 3.00 (2.90 to 3.10) | changed |" in changed


def test_drift_is_told_from_change() -> None:
    """Where all times drift, the drift is said once, and the one benchmark that left the crowd is named."""
    before, now = report(), report()
    kind = before["benchmarks"][-1]
    scaled = [1.2, 1.21, 1.19, 1.2, 1.22, 1.18, 1.2, 1.2, 1.21, 3.0]
    before["benchmarks"] = [kind | {"name": f"b{k}"} for k in range(10)]
    now["benchmarks"] = [
        kind | {"name": f"b{k}", "stats": {n: v * s for n, v in kind["stats"].items()}} for k, s in enumerate(scaled)
    ]
    text = "\n".join(bench_table.compared(before, now))
    assert "All together times are 1.20 times what they were." in text
    assert "| b9 | time | 2 us | 6 us | slower, 3.00 x |" in text
    assert "10 benchmarks in both reports, 1 figures changed" in text


def test_times_of_another_machine_are_not_compared() -> None:
    """Between two processors ratios are compared and times are not."""
    slow = {"median": 2e-3, "q1": 1.9e-3, "q3": 2.1e-3}
    text = "\n".join(bench_table.compared(report(), report(cpu="B", **slow)))
    assert "Another processor (A)" in text and "slower" not in text


@pytest.mark.parametrize(("content", "why"), [("{", "not JSON"), ("[]", "no report"), (None, "cannot read")])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: str | None, why: str) -> None:
    """`--compare` with anything but a report of pytest-benchmark is one clear line."""
    path = tmp_path / "old.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=why):
        bench.run(out=tmp_path, compare=path)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """An unwritable reports folder is one clear line, before anything is measured."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write"):
        bench.run(out=tmp_path / "file" / "reports")


def test_without_a_device_nothing_could_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for CUDA where there is none, the report says untestable and the exit code is 3."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert bench.run(device="cuda", out=tmp_path) == 3
    assert "UNTESTABLE: cuda: no CUDA device" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")


def test_what_breaks_is_not_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pytest fails, the exit code is 5, the log is kept, and no report is written."""
    monkeypatch.setattr(bench, "command", lambda *given: [sys.executable, "-c", "print('spoilt'); exit(1)"])
    assert bench.run(out=tmp_path, quiet=True) == 5
    assert "spoilt" in (tmp_path / "benchmarks.log").read_text(encoding="utf-8")
    assert not (tmp_path / "benchmarks.md").exists()


def test_a_run_writes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real run of a few rows writes pytest-benchmark's report, with the machine added, and the table."""
    whole = bench.command
    monkeypatch.setattr(bench, "command", lambda *given: [*whole(*given), "-k", "cpu-small-sgd-fused"])
    monkeypatch.setattr(bench, "suite", lambda: Path(bench.__file__).with_name("suite.py"))
    assert bench.run(profile="smoke", out=tmp_path, quiet=True) == 0
    data = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert {row["extra_info"]["path"] for row in data["benchmarks"]} == set(PATHS)
    assert data["machine_info"]["verifier"]["torch"] == torch.__version__
    assert "sgd, fused" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")


def test_importing_the_bench_is_light() -> None:
    """`verifier.bench.run` imports no torch: the command line reads its help in no time."""
    code = "import sys, verifier.bench.run; print('torch' in sys.modules, 'sympy' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "False"]


def test_cost_reads_a_report(tmp_path: Path) -> None:
    """The claim about cost takes its figures from a report where there is one, and noise settles nothing."""
    path = tmp_path / "benchmarks.json"
    path.write_text(json.dumps(report()), encoding="utf-8")
    found = bench_ratio.finding(torch.optim, "cpu", path)
    assert found.verdict is Verdict.HELD and "1.50 to 1.50 times" in found.said
    path.write_text(json.dumps(report(penalty=(0.5, 0.4, 0.6))), encoding="utf-8")
    assert bench_ratio.finding(torch.optim, "cpu", path).verdict is Verdict.VIOLATED
    path.write_text(json.dumps(report(penalty=(1.0, 0.9, 1.1))), encoding="utf-8")
    assert bench_ratio.finding(torch.optim, "cpu", path).verdict is Verdict.INCONCLUSIVE


def test_cost_does_not_read_the_report_of_another_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of another torch settle nothing about this one: the costs are measured afresh."""
    old = report(penalty=(0.5, 0.4, 0.6))
    old["machine_info"]["verifier"]["torch"] = "1.0"
    path = tmp_path / "benchmarks.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    fresh = Ratio(1.6, 1.5, 1.7, 61), Ratio(1.0, 0.98, 1.02, 61), 1.5
    monkeypatch.setattr(bench_ratio, "measure", lambda *given: fresh)
    assert bench_ratio.finding(torch.optim, "cpu", path).verdict is Verdict.HELD
