"""The tutorial's three paths, read out of torch's code and its autograd, compared for all values."""

from __future__ import annotations

import pytest

from verifier.equality.normal import Status
from verifier.lift.paths import lift_path, prove_paths
from verifier.printing import to_text

COUPLED = {
    "sgd": ("SGD", {}),
    "sgd_momentum": ("SGD", {"momentum": 0.9, "dampening": 0.1}),
    "sgd_nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {}),
    "adam_amsgrad": ("Adam", {"amsgrad": True}),
    "adamax": ("Adamax", {}),
    "nadam": ("NAdam", {}),
    "radam": ("RAdam", {}),
    "adagrad": ("Adagrad", {"symbolic": ["lr_decay"]}),
    "adadelta": ("Adadelta", {}),
    "rmsprop": ("RMSprop", {"centered": True, "momentum": 0.9}),
    "asgd": ("ASGD", {}),
}
DECOUPLED = {
    "adamw": ("AdamW", {}),
    "nadam_decoupled": ("NAdam", {"decoupled_weight_decay": True}),
    "radam_decoupled": ("RAdam", {"decoupled_weight_decay": True}),
}


@pytest.mark.parametrize("name", COUPLED)
def test_three_paths_are_one_function(name: str) -> None:
    """Penalty through autograd, weight_decay = 2*lam and groups are proved equal for every coupled optimizer."""
    cls, options = COUPLED[name]

    found = prove_paths(f"torch.optim:{cls}", "foreach", **options)

    assert {n: Status.PROVED for n in found} == {n: p.status for n, p in found.items()}
    assert 3 == len(found)


@pytest.mark.parametrize("name", DECOUPLED)
def test_decoupled_paths_differ(name: str) -> None:
    """For decoupled decay the penalty is another function: refuted by a run, while biases without decay agree."""
    cls, options = DECOUPLED[name]

    found = prove_paths(f"torch.optim:{cls}", **options)

    assert Status.REFUTED == found["penalty == weight_decay"].status
    assert Status.REFUTED == found["penalty == groups"].status
    assert Status.PROVED == found["biases == no decay"].status
    assert "lam" in found["penalty == weight_decay"].difference
    assert found["penalty == weight_decay"].witness


def test_penalty_gradient_comes_from_autograd() -> None:
    """The penalty path's step holds 2*lam*theta, which nobody typed in."""
    rule = lift_path("torch.optim:SGD", "penalty").rule

    assert rule is not None
    assert "theta - lr * (g + 2 * lam * theta)" == to_text(rule.step[-1][1])
