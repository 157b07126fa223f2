"""The tutorial's loop, run three ways: the right optimizers pass, and each classic mistake is caught."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from verifier.evidence import Verdict
from verifier.floats import BF16, FORMATS, FP16, FP32, FP64
from verifier.tutorial import loop as tutorial
from verifier.tutorial import sets as tutorial_sets
from verifier.tutorial.loop import PAIRS, Loop, compare

ALL, GROUPS = PAIRS
DYADIC, OTHER = 2.0**-5, 0.3


class DecayScaled(torch.optim.SGD):
    """SGD whose decay is off by a factor."""

    factor = 0.5

    def __init__(self, params: Any, weight_decay: float = 0.0, **options: Any) -> None:
        super().__init__(params, weight_decay=weight_decay * self.factor, **options)


class GroupsIgnored(torch.optim.SGD):
    """SGD that decays every group with the first group's weight_decay."""

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step after the mistake."""
        for group in self.param_groups:
            group["weight_decay"] = self.param_groups[0]["weight_decay"]
        return super().step(closure)


class BiasesSkipped(torch.optim.SGD):
    """SGD that never decays a tensor of one dimension."""

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step after the mistake."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim == 1 and p.grad is not None:
                    p.grad = p.grad - group["weight_decay"] * p.detach()
        return super().step(closure)


def l1(lam: float, parameters: Iterable[torch.Tensor]) -> torch.Tensor:
    """The wrong penalty: L1 where L2 is claimed."""
    return lam * sum((p.abs().sum() for p in parameters), start=torch.zeros(()))


def halved(lam: float, parameters: Iterable[torch.Tensor]) -> torch.Tensor:
    """The other convention, lam/2 * sum(p**2), for which weight_decay would be lam."""
    return tutorial.l2(lam / 2, parameters)


@pytest.mark.parametrize("pair", PAIRS, ids=["all", "groups"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_dyadic_lam_gives_identical_trajectories(name: str, dtype: str, pair: tuple[str, str]) -> None:
    """For lam a power of two, whole trajectories on real data are the same bits, whatever the optimizer and dtype."""
    loop = Loop(DYADIC, getattr(torch.optim, name), {"lr": 0.05}, dtype=dtype, epochs=1)
    comparison = compare(loop, pair)
    assert Verdict.HELD == comparison.verdict, comparison.sentence
    assert comparison.demanded and comparison.identical


@pytest.mark.parametrize("pair", PAIRS, ids=["all", "groups"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_other_lam_stays_in_its_finite_sets(dtype: str, pair: tuple[str, str]) -> None:
    """For other lam nothing demands equal bits, but each step comes from one of the admissible gradients."""
    comparison = compare(Loop(OTHER, options={"lr": 0.1, "momentum": 0.9}, dtype=dtype), pair)
    assert Verdict.HELD == comparison.verdict, comparison.sentence
    assert not comparison.demanded
    assert comparison.inexact > 0


@pytest.mark.parametrize(("data", "shape"), [("diabetes", (442, 10)), ("breast_cancer", (569, 30))])
def test_the_data_are_real_and_shipped(data: str, shape: tuple[int, int]) -> None:
    """Both data sets come with scikit-learn, and the theorem holds on either."""
    loop = Loop(DYADIC, data=data, epochs=1, options={"lr": 0.01})
    x, y = tutorial.samples(loop)
    assert shape == tuple(x.shape)
    assert (shape[0], 1) == tuple(y.shape)
    assert compare(loop).verdict is Verdict.HELD


@pytest.mark.parametrize("foreach", [False, True])
def test_the_implementation_is_a_parameter(foreach: bool) -> None:
    """For-loop and foreach optimizers both keep the theorem."""
    comparison = compare(Loop(DYADIC, options={"lr": 0.1, "foreach": foreach}, epochs=1))
    assert Verdict.HELD == comparison.verdict, comparison.sentence


@pytest.mark.parametrize("lam", [DYADIC, OTHER])
@pytest.mark.parametrize(
    ("wrong", "pair"),
    [
        (DecayScaled, ALL),
        (GroupsIgnored, GROUPS),
        (BiasesSkipped, ALL),
        (torch.optim.AdamW, ALL),
    ],
)
def test_wrong_optimizers_are_caught(wrong: Any, pair: tuple[str, str], lam: float) -> None:
    """A wrong factor, ignored groups, skipped biases and decoupled decay are each found, dyadic lam or not."""
    comparison = compare(Loop(lam, wrong, epochs=1), pair)
    assert Verdict.VIOLATED == comparison.verdict
    assert "but should be" in comparison.sentence


@pytest.mark.parametrize("penalty", [l1, halved])
def test_wrong_penalties_are_caught(penalty: tutorial.Penalty) -> None:
    """A penalty whose gradient is not 2*lam*w is found on the first path."""
    comparison = compare(Loop(OTHER, epochs=1, penalty=penalty))
    assert Verdict.VIOLATED == comparison.verdict
    assert "step 1, element 0" in comparison.first


@pytest.mark.parametrize(("dtype", "factor"), [("float32", 1 + 2.0**-22), ("float64", 1 + 2.0**-51)])
def test_a_decay_off_by_a_few_ulp_is_caught(dtype: str, factor: float) -> None:
    """The finite sets see a decay that is wrong by two units in the last place of its format."""

    class Slightly(DecayScaled):
        pass

    Slightly.factor = factor
    assert Verdict.VIOLATED == compare(Loop(OTHER, Slightly, dtype=dtype)).verdict


def test_two_data_terms_lose_the_theorem() -> None:
    """With two data terms autograd adds three numbers, and the sum it makes is not always rn(rn(g1 + g2) + penalty)."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(1000, generator=generator).requires_grad_()
    x1, x2 = (torch.randn(1000, generator=generator) for _ in range(2))
    lam = 2.0**-5
    loss = (w * x1).sum() + (w * x2).sum() + lam * (w**2).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    term = 2 * lam * w.detach()
    orders = ((x1 + x2) + term, (x1 + term) + x2, (x2 + term) + x1)
    assert w.grad is not None
    among = torch.stack([w.grad == order for order in orders]).any(0)
    assert bool(among.all())
    by_weight_decay = torch.add(x1 + x2, w.detach(), alpha=2 * lam)
    assert not torch.equal(by_weight_decay, w.grad)


def test_underflow_is_seen_as_the_end_of_the_theorem() -> None:
    """Where 2*lam*w is no value of the format, the theorem's hypothesis fails and says so."""
    w = np.array([1.0, 2.0**-149, 0.0])
    assert [True, False, True] == tutorial_sets.representable(w, 2.0**-5, FP32).tolist()


def test_missing_device_is_untestable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a CUDA device the comparison is untestable, with the reason, and never held."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    comparison = compare(Loop(DYADIC, device="cuda"))
    assert Verdict.UNTESTABLE == comparison.verdict
    assert "no CUDA device" in comparison.sentence


def test_fused_16_bit_is_untestable() -> None:
    """A fused kernel in a 16-bit format rounds its decayed gradient nowhere, so no set of gradients describes it."""
    loop = Loop(DYADIC, options={"lr": 0.1, "fused": True}, dtype="bfloat16")
    assert Verdict.UNTESTABLE == compare(loop).verdict


@pytest.mark.parametrize("fmt", [FP32, BF16, FP16], ids=lambda f: f.name)
def test_nearest_rounds_as_torch_does(fmt: Any) -> None:
    """One rounding of a rational agrees with torch's own conversion on doubles, ties and subnormals included."""
    generator = np.random.default_rng(3)
    values = np.ldexp(generator.integers(-(2**30), 2**30, 3000).astype(float), generator.integers(-190, 99, 3000))
    values = np.append(values, [1 + fmt.u, 1 + 3 * fmt.u, fmt.tiny / 2, 1.5 * fmt.tiny, fmt.largest, 2 * fmt.largest])
    expected = torch.tensor(values).to(getattr(torch, fmt.name)).double().tolist()
    assert expected == [tutorial_sets.nearest(Fraction(v), fmt) for v in values.tolist()]


def test_nearest_rounds_once() -> None:
    """A sum that double arithmetic would round twice is rounded once."""
    x = Fraction(1) + Fraction(1, 2**24) + Fraction(1, 2**80)
    assert 1.0 + 2.0**-23 == tutorial_sets.nearest(x, FP32)
    assert 0.1 == tutorial_sets.nearest(Fraction(0.1), FP64)
    assert math.inf == tutorial_sets.nearest(Fraction(FP64.largest) * 2, FP64)


def test_admissible_gradients_are_the_fused_and_the_plain_sum() -> None:
    """Per element there are one or two gradients in fp32, and torch's own g + decay * w is among them."""
    generator = torch.Generator().manual_seed(1)
    g, w = (torch.randn(500, generator=generator) for _ in range(2))
    table = tutorial_sets.admissible(g.tolist(), w.tolist(), 0.6, FORMATS["float32"])
    for value, choices in zip(torch.add(g, w, alpha=0.6).tolist(), table, strict=True):
        assert value in choices
    assert max(map(len, table)) > 1


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda f: f.name)
def test_sums_in_double_are_rounded_once(fmt: Any) -> None:
    """Adding two values of a format in double and rounding again gives the correctly rounded sum."""
    generator = np.random.default_rng(4)
    x, y = (fmt.round(np.ldexp(generator.standard_normal(2000), generator.integers(-20, 12, 2000))) for _ in range(2))
    expected = [
        tutorial_sets.nearest(Fraction(a) + Fraction(b), fmt) for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    assert expected == tutorial_sets.total(x, y, fmt).tolist()


def test_dyadic_decay_leaves_one_gradient() -> None:
    """For a decay that is a power of two, fused and plain sums coincide, as exact arithmetic says too."""
    generator = np.random.default_rng(5)
    g, w = (FP32.round(generator.standard_normal(300)) for _ in range(2))
    expected = [
        (tutorial_sets.nearest(Fraction(a) + Fraction(b) / 8, FP32),)
        for a, b in zip(g.tolist(), w.tolist(), strict=True)
    ]
    assert expected == tutorial_sets.admissible(g.tolist(), w.tolist(), 0.125, FP32)


def test_loops_cover_what_the_claims_rest_on() -> None:
    """The default loops hold dyadic and other lam, two formats and three optimizers, on the asked device."""
    loops = tutorial.loops(device="cpu", seed=5)
    assert 12 == len(loops)
    assert {True, False} == {loop.dyadic for loop in loops}
    assert all(loop.seed == 5 for loop in loops)
    with pytest.raises(KeyError, match="diabetes"):
        tutorial.samples(replace(loops[0], data="iris"))
