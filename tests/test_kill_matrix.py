from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from verifier import kill_matrix
from verifier.power import Kill

KILLS = [
    *(Kill("sgd", "step", "lr_missing", place, True) for place in kill_matrix.EVERYWHERE),
    Kill("sgd", "sign", "lr_missing", "reals", False),
    Kill("sgd", "step", "harmless", "float32", False),
    Kill("sgd", "step", "subtle", "float64", True),
    Kill("sgd", "step", "subtle", "bfloat16", False),
]


def test_the_matrix_says_where_a_law_rejects_a_mistake() -> None:
    """A mistake has the laws that reject it and where; one that nothing rejects stands out."""
    lines = kill_matrix.text(KILLS).splitlines()

    assert ["sgd", "  harmless    SURVIVES", "  lr_missing  step (everywhere)", "  subtle      step (float64)"] == lines


def test_a_mistake_survives_where_no_law_rejects_it() -> None:
    """One kill anywhere is enough; a mistake without any is named with its rule."""
    assert ["sgd.harmless"] == kill_matrix.surviving(KILLS)


@pytest.mark.nightly
def test_every_mistake_in_sgd_is_rejected(program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """The whole command: algebra, mutants under pytest, matrix, evidence."""
    done = program("power", "sgd", "--profile", "smoke")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "every mistake is rejected by some law" in done.stdout.splitlines()[-1]
