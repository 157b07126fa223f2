from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim.optimizer import required

from verifier.subjects.torch_signature import signature


class Asking(torch.optim.Optimizer):
    """Options as people write their defaults."""

    def __init__(self, params: Any, lr: Any = required, every: Any = 1, warm: int = 0, share: float = 1) -> None:
        super().__init__(params, {"lr": lr, "every": every, "warm": warm, "share": share})


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [("every", "int", (1.0, 2.0, 3.0)), ("warm", "int", (0.0, 2.0, 3.0)), ("share", "float", (1.0, 0.5, 2.0))],
)
def test_a_default_that_counts_is_given_back_as_a_whole_number(name: str, kind: str, values: tuple[float, ...]) -> None:
    """A whole number from one up, or one that is annotated so, counts; an annotation says what is a share."""
    found = signature(f"{__name__}:Asking", {})
    option = found.option(name)

    assert (kind, values) == (option.kind, option.values)
    assert (int if kind == "int" else float) is type(found.arguments(found.defaults)[name])


class Refusing(torch.optim.Optimizer):
    """Its own default of lr is refused by it; that of rate is not."""

    def __init__(self, params: Any, lr: Any = None, rate: Any = None) -> None:
        assert lr > 0
        super().__init__(params, {"lr": lr, "rate": rate})


class Deriving(torch.optim.Optimizer):
    """Without lr it makes its own."""

    def __init__(self, params: Any, lr: Any = None) -> None:
        super().__init__(params, {"lr": lr})


def test_learning_rate_that_is_none_and_refused_is_drawn() -> None:
    """An lr of None must be given where the constructor refuses it, and stays as it is where it does not."""
    refusing, deriving = (signature(f"{__name__}:{name}", {}) for name in ("Refusing", "Deriving"))

    assert isinstance(refusing.defaults["lr"], float)
    assert "rate" in refusing.unexamined
    assert "lr" in deriving.unexamined


def test_torchs_mark_of_a_required_option_is_no_default() -> None:
    """`lr=required` is an option that must be given, and is drawn."""
    found = signature(f"{__name__}:Asking", {})

    assert isinstance(found.defaults["lr"], float)
    assert 3 < len(found.option("lr").values)
