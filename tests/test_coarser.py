"""Two runs of code that cannot be read: what the next coarser format shows of rounding, and what is more than that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import Optimizer

from verifier import record
from verifier.case import Case, Subject
from verifier.check import contracts
from verifier.check.coarser import COARSER, farther_than_rounding
from verifier.subjects.torch_foreign import subjects
from verifier.subjects.torch_signature import signature


class Normed(Optimizer):
    """A step of the length of the parameter: nothing here can be read element by element."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * p.norm() * p.grad / (p.grad.norm() + 1))


class NotInBfloat16(Normed):
    """The same for formats that linear algebra has."""

    def step(self, closure: Any = None) -> None:
        if self.param_groups[0]["params"][0].dtype == torch.bfloat16:
            raise TypeError("no bfloat16")
        super().step(closure)


RNG = np.random.default_rng(3)
CASE = Case(((6,), (5,)), RNG.standard_normal(11), RNG.standard_normal((3, 11)), {"lr": 0.1})


def of(build: Any, name: str) -> Subject:
    """The class as a subject in one format."""
    return subjects(signature(build), dtypes=(name,))[0]


@pytest.mark.parametrize("name", COARSER)
def test_a_rounding_apart_is_nothing(name: str) -> None:
    """A run a few ulp off is as near as rounding takes the coarser one."""
    subject = of(Normed, name)
    seen = subject.run(CASE)
    few = seen.theta * (1 + 8 * subject.format.u)

    far = farther_than_rounding(subject, CASE, seen, few)

    assert far is not None
    assert not far.any()


@pytest.mark.parametrize("name", COARSER)
def test_a_mistake_is_farther_than_rounding(name: str) -> None:
    """A run whose learning rate is a tenth larger is farther off, in the steps it took and nowhere before."""
    subject = of(Normed, name)
    wrong = subject.run(CASE.with_(hyper={"lr": 0.11}))

    far = farther_than_rounding(subject, CASE, subject.run(CASE), wrong.theta)

    assert far is not None
    assert far[1:].any()
    assert not far[0].any()


def test_nothing_is_said_without_a_coarser_run() -> None:
    """Code that bfloat16 stops, and formats that have no coarser one of their range, are left undecided."""
    for build, name in ((NotInBfloat16, "float32"), (Normed, "bfloat16"), (Normed, "float16")):
        subject = of(build, name)
        seen = subject.run(CASE)

        assert farther_than_rounding(subject, CASE, seen, seen.theta + 1) is None


class Flat(Optimizer):
    """Its average is one flat buffer a parameter, which vectors lie like and matrices do not."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    average = self.state[p].setdefault("average", torch.zeros(p.numel(), dtype=p.dtype))
                    average.mul_(0.5).add_(p.grad.reshape(-1))
                    p.sub_(average.reshape(p.shape), alpha=group["lr"])


def test_state_that_lies_like_some_parameters_alone_is_not_read() -> None:
    """What could be read of one tensor and not of another is read of none; of vectors alone it is."""
    subject = of(Flat, "float64")

    assert "average" in subject.run(CASE).state
    assert "average" not in subject.run(CASE.with_(shapes=((2, 3), (5,)))).state


class InPlace(Normed):
    """Decay, and then the gradient as it comes, sparse or not: entries that are there twice are added twice."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - 0.1 * group["lr"]).add_(p.grad, alpha=-group["lr"])


class Loses(InPlace):
    """Of a sparse gradient the first entries alone are taken."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.grad.is_sparse:
                    p.grad = p.grad.coalesce() * 0.5
        super().step(closure)


@pytest.mark.parametrize("name", COARSER)
def test_entries_that_are_there_twice_are_two_additions(name: str) -> None:
    """Adding both halves is the gradient, up to a rounding more than the rule has; half of it is not."""
    right, wrong = of(InPlace, name), of(Loses, name)
    case = CASE.with_(grads=CASE.grads * 0.3)

    record.start()
    contracts.sparse_as_dense(right, case)
    with pytest.raises(record.Violation):
        contracts.sparse_as_dense(wrong, case)
