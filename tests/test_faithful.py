"""Faithful: correct kernels pass, a wrong one is caught at its op, and the rounding primitives are exact."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from verifier.lift.faithful import watch
from verifier.lift.roundings import fma, levels, same_bits, to_dtype

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "dampening": 0.1},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "NAdam": {},
    "RAdam": {},
    "Adagrad": {},
    "Adadelta": {},
    "Adamax": {},
    "ASGD": {},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Rprop": {},
}


@pytest.mark.parametrize("implementation", ["forloop", "foreach"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_torch_is_faithful(name: str, dtype: torch.dtype, implementation: str) -> None:
    """Every op of every elementwise torch.optim optimizer returns one of its admissible roundings."""
    findings = watch(f"torch.optim:{name}", implementation, dtype=dtype, steps=6, **OPTIMIZERS[name])

    assert [] == [str(v) for v in findings.violations]
    assert {} == dict(findings.unchecked)
    assert findings.faithful
    assert findings.patterns < 2 * findings.elements


@pytest.mark.parametrize("implementation", ["forloop", "foreach"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["Adam", "NAdam", "RMSprop"])
def test_capturable_is_faithful(name: str, dtype: torch.dtype, implementation: str) -> None:
    """The lines that run on an accelerator return correct roundings too, run here on the CPU."""
    findings = watch(f"torch.optim:{name}", implementation, dtype=dtype, steps=4, capturable=True)

    assert ([], {}) == ([str(v) for v in findings.violations], dict(findings.unchecked))
    assert findings.faithful


class Various(torch.optim.SGD):
    """Operations that optimizers of other people use."""

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for p in self.param_groups[0]["params"]:
            g = p.grad.clamp(-4, 4)
            update = g.tanh() + g.abs().add(1).log() - g.abs().neg().exp() + torch.atan2(g, g.square() + 1)
            update = torch.where((g > 0) & ~(g > 3), update, update.round() + g.floor() - g.trunc() + g.ceil())
            p.sub_(update.copysign(g).mul(0.01).add(torch.hypot(g, update) * 0.001))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_operations_of_other_optimizers_are_known(dtype: torch.dtype) -> None:
    """Transcendental functions, masks and whole numbers are looked at, and right."""
    findings = watch(Various, dtype=dtype, steps=4)

    assert ([], {}) == ([str(v) for v in findings.violations], dict(findings.unchecked))


@pytest.mark.parametrize("op", ["aten.tanh.default", "aten.log.default", "aten.floor.default", "aten.copysign.Tensor"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_wrong_function_is_caught(dtype: torch.dtype, op: str) -> None:
    """A few ulps off in one element of such a kernel are caught at it."""
    findings = watch(Various, dtype=dtype, steps=2, sizes=(9,), run=one_ulp_off(op, 5))

    assert {op} == {v.op for v in findings.violations}


def one_ulp_off(target: str, element: int) -> Any:
    """A runner whose kernel for `target` is wrong by a few ulps in one element."""

    def run(func: Any, args: Any, kwargs: Any) -> Any:
        out = func(*args, **kwargs)
        if str(func) == target:
            result = out if isinstance(out, torch.Tensor) else args[0][-1]
            flat, info = result.detach().view(-1), torch.finfo(result.dtype)
            flat[element] = flat[element] * (1 + 4 * info.eps) + info.tiny
        return out

    return run


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("implementation", "op", "line"),
    [("forloop", "aten.addcmul_.default", "_single_tensor_adam"),
     ("forloop", "aten.addcdiv_.default", "_single_tensor_adam"),
     ("forloop", "aten.lerp_.Scalar", "_single_tensor_adam"),
     ("foreach", "aten._foreach_addcdiv_.ScalarList", "_multi_tensor_adam")],
)  # fmt: skip
def test_wrong_kernel_is_caught_at_its_op(dtype: torch.dtype, implementation: str, op: str, line: str) -> None:
    """A kernel wrong in one element is named: op, call site, step, element, observed and admissible patterns."""
    findings = watch("torch.optim:Adam", implementation, dtype=dtype, steps=3, sizes=(9,), run=one_ulp_off(op, 5))

    found = findings.violations[0]
    assert (op, (5,), 1) == (found.op, found.element, found.step)
    assert line == found.site.function
    assert found.observed not in found.admissible
    assert found.admissible
    assert {op} == {v.op for v in findings.violations}


def truncating(func: Any, args: Any, kwargs: Any) -> Any:
    """A bfloat16 multiplication that cuts bits off instead of rounding."""
    if str(func) == "aten.mul.Tensor" and args[0].dtype == torch.bfloat16 and isinstance(args[1], torch.Tensor):
        exact = args[0].float() * args[1].float()
        return (exact.view(torch.int32) & -65536).view(torch.float32).to(torch.bfloat16)
    return func(*args, **kwargs)


class Multiplies(torch.optim.SGD):
    """A step with one tensor product."""

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for p in self.param_groups[0]["params"]:
            p.add_(p.grad * p.grad, alpha=-0.01)


def test_truncation_is_not_a_rounding() -> None:
    """A kernel that truncates is caught where truncation and rounding differ."""
    findings = watch(Multiplies, dtype=torch.bfloat16, steps=2, sizes=(64,), run=truncating)

    assert {"aten.mul.Tensor"} == {v.op for v in findings.violations}
    assert watch(Multiplies, dtype=torch.bfloat16, steps=2, sizes=(64,)).faithful


def test_unknown_ops_are_not_passed_over() -> None:
    """An op without known roundings is counted as unchecked: the run is not called faithful."""
    findings = watch("torch.optim:AdamW", fused=True, dtype=torch.float32, steps=1)

    assert not findings.faithful
    assert "aten._fused_adamw_.default" in findings.unchecked


def exact_fma(a: float, b: float, c: float, dtype: type) -> Any:
    """The correctly rounded a*b + c, by rational arithmetic."""
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if dtype is np.float64:
        return np.float64(exact.numerator / exact.denominator)
    low = np.float32(float(exact))
    near = [np.nextafter(low, np.float32(-np.inf)), low, np.nextafter(low, np.float32(np.inf))]
    return min(near, key=lambda x: (abs(Fraction(float(x)) - exact), int(np.float32(x).view(np.uint32)) & 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fma_is_correctly_rounded(dtype: type) -> None:
    """The emulated fma agrees with rational arithmetic, cancellation and near ties included."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(3000).astype(dtype) for _ in range(2))
    c = np.where(rng.integers(0, 2, 3000), -(a * b) * (1 + dtype(2) ** -20), rng.standard_normal(3000)).astype(dtype)

    observed = fma(a, b, c)

    expected = np.array([exact_fma(*map(float, abc), dtype) for abc in zip(a, b, c, strict=True)], dtype=dtype)
    assert same_bits(observed, expected).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_rounding_agrees_with_torch(dtype: torch.dtype) -> None:
    """Rounding float64 values to a dtype gives torch's own conversion from the nearest representable values."""
    values = torch.randn(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    observed = to_dtype(values.numpy(), dtype)

    assert same_bits(observed, values.to(dtype).float().numpy()).all()


def test_double_to_bfloat16_rounds_once() -> None:
    """A double just above a tie of bfloat16 is not first rounded onto the tie."""
    tie = 1 + 2.0**-8

    observed = to_dtype(np.array([tie, tie + 2.0**-40, tie - 2.0**-40]), torch.bfloat16)

    assert [1.0, 1 + 2.0**-7, 1.0] == observed.tolist()


def test_a_root_whose_square_only_rounds_back_may_be_one_ulp_off() -> None:
    """fl(r*r) == a does not make r the exact root: the MKL build's fp64 root of this number is its neighbour."""
    a = np.array([float.fromhex("0x1.04e9b3a922712p+7")])
    (level,) = levels(torch.float64)

    admissible = {float(r[0]).hex() for r in level.sqrt(a)}

    assert {"0x1.6d7f00cfc4a44p+3", "0x1.6d7f00cfc4a45p+3", "0x1.6d7f00cfc4a46p+3"} == admissible
    assert {"0x1.8000000000000p+1"} == {float(r[0]).hex() for r in level.sqrt(np.array([9.0]))}
