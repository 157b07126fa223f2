"""No false alarm: fresh seeds of the step enclosure over the optimizers people use most raise none."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from verifier import check, lineup, record
from verifier.case import Case
from verifier.plugin import PROFILES
from verifier.rules import get
from verifier.strategies import cases

RULES = ("sgd", "adam", "adamw", "rmsprop")
IMPLEMENTATIONS = ("forloop", "foreach")


def run_seed(seed: int) -> tuple[int, int]:
    """The ci profile's cases of one seed, of every rule on the subject whose turn it is: (cases, element-checks)."""
    drawn = elements = 0
    for rule in map(get, RULES):
        found = [s for s in lineup.of(rule, "cpu") if s.implementation in IMPLEMENTATIONS]
        subject = found[seed % len(found)]
        seen = record.start()

        @hypothesis.seed(seed)
        @settings(
            max_examples=PROFILES["ci"],
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases(rule, steps=(20, 24), groups=True, schedule=True, absent=True, maximize=True))
        def step(case: Case) -> None:
            check.steps_enclosed(subject, case)  # noqa: B023  # called before the loop goes on

        step()
        drawn += seen.cases
        elements += seen.elements
    return drawn, elements


@pytest.mark.parametrize("seed", range(8))
def test_eight_seeds_raise_no_alarm(seed: int) -> None:
    """Eight seeds meet every implementation and format of SGD, Adam, AdamW and RMSprop once."""
    drawn, elements = run_seed(1000 + seed)
    assert drawn >= len(RULES) * PROFILES["ci"]
    assert elements > 10_000


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", range(20))
def test_two_thousand_seeds_raise_no_alarm(block: int, record_property: pytest.RecordProperty) -> None:
    """Two thousand fresh seeds, a hundred a block."""
    counts = [run_seed(10_000 + 100 * block + k) for k in range(100)]
    record_property("cases", sum(c for c, _ in counts))
    record_property("elements", sum(e for _, e in counts))
    assert len(counts) == 100
