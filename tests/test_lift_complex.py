"""Complex parameters are lifted as pairs of reals, each part following the rule; what mixes the parts is named."""

from __future__ import annotations

import pytest
import torch

from verifier import rules
from verifier.equality.normal import Status
from verifier.lift import lift, prove
from verifier.subjects.torch_options import optimizer_class


class Elementwise(torch.optim.Optimizer):
    """SGD without a word about complex numbers."""

    def __init__(self, params, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    def change(self, p: torch.Tensor, g: torch.Tensor, lr: float) -> None:
        p.sub_(g * lr)

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                self.change(p, p.grad, group["lr"])


class RealPart(Elementwise):
    """Only the real parts move."""

    def change(self, p: torch.Tensor, g: torch.Tensor, lr: float) -> None:
        torch.view_as_real(p)[..., 0].sub_(torch.view_as_real(g)[..., 0] * lr)


class Swapped(Elementwise):
    """Real parts move by imaginary gradients."""

    def change(self, p: torch.Tensor, g: torch.Tensor, lr: float) -> None:
        torch.view_as_real(p).sub_(torch.view_as_real(g).flip(-1) * lr)


class Squared(Elementwise):
    """The gradient times itself, as complex numbers."""

    def change(self, p: torch.Tensor, g: torch.Tensor, lr: float) -> None:
        p.sub_(g * g * lr)


class Shifted(Elementwise):
    """A real number added, which only real parts see."""

    def change(self, p: torch.Tensor, g: torch.Tensor, lr: float) -> None:
        p.add_(1.5)


@pytest.mark.parametrize("implementation", ["forloop", "foreach"])
@pytest.mark.parametrize("name", rules.names())
def test_torchs_parts_follow_the_rule(name: str, implementation: str) -> None:
    """On complex parameters every elementwise torch.optim optimizer is its rule on real and imaginary parts."""
    target, options = optimizer_class(name)
    hyper = {s.name for s in rules.get(name).hyper}
    found = lift(
        target, implementation, is_complex=True, symbolic=hyper & {"momentum", "dampening", "lr_decay"}, **options
    )

    assert ("lifted", "") == (found.status, found.coupled)
    assert Status.PROVED == prove(found, name).status


def test_code_for_reals_serves_pairs() -> None:
    """Linear operations act on both parts: code that never heard of complex numbers is lifted too."""
    assert Status.PROVED == prove(lift(Elementwise, is_complex=True, name="sgd"), lift(Elementwise).rule).status


@pytest.mark.parametrize(("kind", "coupled"), [(RealPart, "places"), (Swapped, "elements")])
def test_parts_that_are_treated_apart_are_no_rule(kind: type[Elementwise], coupled: str) -> None:
    """Code whose parts move differently, by their places, or read each other, has no rule of one element."""
    found = lift(kind, is_complex=True)

    assert (coupled, None) == (found.coupled, found.rule)


@pytest.mark.parametrize(("kind", "op"), [(Squared, "aten.mul.Tensor"), (Shifted, "aten.add_.Tensor")])
def test_what_mixes_the_parts_is_named(kind: type[Elementwise], op: str) -> None:
    """Products of complex numbers, and real numbers added, stop the lift: op and line are said."""
    found = lift(kind, is_complex=True)

    assert found.rule is None
    assert op in str(found.stopped_by)
    assert "test_lift_complex.py" in str(found.stopped_by)
