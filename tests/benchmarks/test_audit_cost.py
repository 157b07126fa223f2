"""What an audit of one optimizer costs, imports included, and what that buys."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pytest_benchmark")

from verifier.auditing.audit import AuditReport, audit

TARGETS = {
    "right": "tests.broken.optimizers:Right",
    "wrong": "tests.broken.optimizers:WritesGradient",
    "torch": "torch.optim:AdamW",
    "failing": "torch.optim:SGD",
}
"""A right optimizer; a wrong one, whose finding is explained and has its script run; one with four code paths; and one
of whose paths the fused one fails in 16 bits, so that many cases are made small."""


def children() -> float:
    """Processor seconds of all processes that were started and have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("profile", ["smoke", "ci"])
@pytest.mark.parametrize("kind", TARGETS)
def test_audit_of_one_optimizer(benchmark: Any, kind: str, profile: str, tmp_path: Path) -> None:
    """An audit on two workers: it ends as it should, and the figures say what its time bought.

    A promise of 10 seconds for smoke and 60 for ci on two cores is read off the figures, never asserted: the machine
    may be busy. `processor_seconds` are those of all its processes.
    """
    before, load = children(), os.getloadavg()[0]

    def run() -> AuditReport:
        return audit(TARGETS[kind], profile=profile, out=tmp_path, workers=2, quiet=True)

    report: AuditReport = benchmark.pedantic(run, rounds=1, iterations=1)

    cost = report.cost
    benchmark.extra_info.update(
        law_checks=cost.rows,
        optimizer_steps=cost.steps,
        elements=cost.elements,
        own_share=round(cost.own_share, 4),
        processor_seconds=round(children() - before, 2),
        cores=os.cpu_count(),
        load=round(load, 1),
    )
    print(f"\n{TARGETS[kind]} {profile}: {cost}; {benchmark.extra_info['processor_seconds']} s of processor time")
    assert report.exit_code in {"right": (0,), "wrong": (1,)}.get(kind, (0, 1))
    assert cost.steps > cost.rows > 100 and cost.elements > cost.steps
    assert 0 < cost.stepping < cost.checking
