"""What reading a rule out of code costs: the lift and its proof of every elementwise torch.optim optimizer."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("pytest_benchmark")

from verifier import rules
from verifier.lift import lift, prove
from verifier.subjects.torch_options import optimizer_class

SECONDS = 0.5


@pytest.mark.parametrize("implementation", ["forloop", "foreach"])
@pytest.mark.parametrize("name", rules.names())
def test_lift_and_proof(benchmark, name: str, implementation: str) -> None:  # type: ignore[no-untyped-def]
    """A class is lifted and proved equal to its rule in under half a second of processor time, imports apart.

    The fastest of five rounds counts; the operations of one step are reported with it.
    """
    target, options = optimizer_class(name)
    hyper = {s.name for s in rules.get(name).hyper}
    symbolic = hyper & {"momentum", "dampening", "lr_decay", "initial_accumulator_value"}
    spent = []

    def read() -> tuple[int, str]:
        started = time.process_time()
        found = lift(target, implementation, symbolic=symbolic, **options)
        status = prove(found, name).status.value
        spent.append(time.process_time() - started)
        return found.ops, status

    ops, status = benchmark.pedantic(read, rounds=5, iterations=1, warmup_rounds=1)
    benchmark.extra_info.update(ops=ops, processor_seconds=min(spent))

    assert "proved" == status
    assert min(spent) < SECONDS
