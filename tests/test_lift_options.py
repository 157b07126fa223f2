"""Every option of every elementwise torch.optim optimizer, in both implementations: proved, or the reason why not."""

from __future__ import annotations

import sys

import pytest
import torch

from verifier import rules
from verifier.equality.normal import Status
from verifier.errors import UsageError
from verifier.lift import lift, prove
from verifier.rule import maximized
from verifier.subjects.torch_options import optimizer_class

IMPLEMENTATIONS = ("forloop", "foreach")
OPTIONS = {
    "maximize": {"maximize": True},
    "differentiable": {"differentiable": True},
    "capturable": {"capturable": True},
    "tensor_lr": {"tensor": ["lr"]},
    "capturable_tensor_lr_maximize": {"capturable": True, "tensor": ["lr"], "maximize": True},
}
WITHOUT_CAPTURABLE = ("sgd", "sgd_momentum", "sgd_nesterov", "adagrad")
WITHOUT_DIFFERENTIABLE_LISTS = tuple(n for n in rules.names() if not n.startswith("sgd"))  # SGD's lists are not asked
WITHOUT_TENSOR_LR_LISTS = ("adam", "adam_amsgrad", "adamw", "adamw_amsgrad")
GATE = "_get_capturable_supported_devices"


def refusal(name: str, option: str, implementation: str) -> str | None:
    """Torch's own words where the class refuses the combination."""
    if "capturable" in option and name in WITHOUT_CAPTURABLE:
        return "no option 'capturable'"
    if implementation == "foreach" and option == "differentiable" and name in WITHOUT_DIFFERENTIABLE_LISTS:
        return "_foreach ops don't support autograd"
    if implementation == "foreach" and option == "tensor_lr" and name in WITHOUT_TENSOR_LR_LISTS:
        return "lr as a Tensor is not supported for capturable=False and foreach=True"
    return None


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", rules.names())
def test_option(name: str, option: str, implementation: str) -> None:
    """With the option the code is proved to be its rule; where torch refuses it, the lift repeats torch's reason."""
    target, options = optimizer_class(name)
    hyper = {s.name for s in rules.get(name).hyper}
    symbolic = hyper & {"momentum", "dampening", "lr_decay", "initial_accumulator_value"}
    reason = refusal(name, option, implementation)
    rule = maximized(rules.get(name)) if "maximize" in option else rules.get(name)
    if reason is not None and "no option" in reason:
        with pytest.raises(UsageError, match=reason):
            lift(target, implementation, symbolic=symbolic, **options, **OPTIONS[option])
        return

    found = lift(target, implementation, symbolic=symbolic, **options, **OPTIONS[option])

    if reason is not None:
        assert ("opaque", True) == (found.status, reason in str(found.stopped_by))
    else:
        proof = prove(found, rule)
        assert Status.PROVED == proof.status, proof.method or found.stopped_by


def test_capturable_runs_the_lines_of_an_accelerator() -> None:
    """The capturable form is other code: its step counter is a tensor's, so it takes more tensor operations."""
    plain, capturable = (lift("torch.optim:Adam", capturable=c) for c in (False, True))

    assert plain.ops < capturable.ops


def test_capturable_follows_a_wrong_rule_nowhere() -> None:
    """The capturable form of AdamW is refuted against adam, as the plain one is."""
    proof = prove(lift("torch.optim:AdamW", "foreach", capturable=True), "adam")

    assert Status.REFUTED == proof.status
    assert "adam__decoupled_decay" == proof.mutant


def test_the_list_of_devices_is_given_back() -> None:
    """After a lift torch refuses capturable on the CPU as before."""
    lift("torch.optim:Adam", capturable=True)

    assert "cpu" not in vars(sys.modules["torch.optim.optimizer"])[GATE]()
    assert "cpu" not in vars(sys.modules["torch.optim.adam"])[GATE]()
    p = torch.nn.Parameter(torch.ones(1))
    p.grad = torch.ones(1)
    with pytest.raises(AssertionError, match="capturable=True"):
        torch.optim.Adam([p], capturable=True).step()
