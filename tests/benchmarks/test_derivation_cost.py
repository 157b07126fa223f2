"""What algebra costs: the derivation of one rule with the proof of every law of it, nothing remembered."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pytest_benchmark")

from verifier import rules

SECONDS = 2.0
PROGRAM = """
import sys, time
from verifier import derive, rules
rule = rules.get(sys.argv[1])
started = time.process_time()
found = derive.derivation(rule)
print(time.process_time() - started)
"""


@pytest.mark.parametrize("name", rules.names())
def test_derivation_and_proofs_of_one_rule(benchmark, name: str) -> None:  # type: ignore[no-untyped-def]
    """Every law of a rule is derived and proved within two seconds of processor time, nothing remembered.

    Each round is a new process, so that no cache of sympy's or ours is warm; importing sympy is not counted.
    """

    def derive() -> float:
        run = subprocess.run([sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=True)
        return float(run.stdout)

    seconds = benchmark.pedantic(derive, rounds=1, iterations=1)
    benchmark.extra_info["derivation_seconds"] = seconds

    assert seconds < SECONDS
