"""A contract that compares nothing says why, in words that stand in the row."""

from __future__ import annotations

import pytest

from tests.asked import Asked
from verifier import record

ASKED = Asked("torch.optim", ("float32", "bfloat16"))

WHY = {
    ("bounds", "float32"): "no option is a bound on gradients",
    ("bounds", "bfloat16"): "float32 and float64 alone",
    ("acting_switches", "bfloat16"): "float32 and float64 alone",
    ("decay_of_parameters", "float32"): "it reads them",
    ("formats", "bfloat16"): "compared with float64, once",
    ("master_weights", "float32"): "parameters in 16 bits",
    ("tall_matrices", "bfloat16"): "float32 alone",
    ("acting_switches", "float32"): "",
    ("memory_of_steps", "float32"): "",
}
"""By contract and format: words of the reason that nothing of AdamW is compared; none where something is."""


@pytest.mark.parametrize(("law", "dtype"), WHY)
def test_the_reason_is_told_where_nothing_is_compared(law: str, dtype: str) -> None:
    """Where something is compared there is nothing to say."""
    test, subjects = ASKED.laws("AdamW")[law]
    (subject,) = (s for s in subjects if s.format.name == dtype and s.implementation == "forloop")
    seen = record.start()

    test(subject=subject)

    why = WHY[law, dtype]
    assert seen.empty == bool(why)
    assert why in seen.silent
