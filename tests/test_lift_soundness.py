"""Soundness of the shadow memory: random programs of tensor operations, each element's expression against its value."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import sympy
import torch

from verifier.lift import expr
from verifier.lift.evaluate import ULPS, Bounded, values
from verifier.lift.expr import Node
from verifier.lift.lifted import lift
from verifier.lift.memory import Memory
from verifier.lift.scalars import Trace
from verifier.lift.shadow import prepared, watching

PROGRAMS = 350  # a seed
STEPS = 14
UNIT = 2.0**-24  # programs mix float64 and float32

Tensors = list[torch.Tensor]


def view(draw: random.Random, pool: Tensors) -> None:
    """Another tensor of the same memory."""
    x = draw.choice(pool)
    makers: list[Callable[[], torch.Tensor]] = [
        lambda: x.reshape(-1) if x.is_contiguous() else x,
        lambda: x.t() if x.dim() == 2 else x.unsqueeze(draw.randint(0, x.dim())),
        lambda: x[draw.randrange(x.shape[0]) :] if x.dim() else x.view(1),
        lambda: x[..., ::2] if x.dim() else x,
        lambda: x.select(-1, 0) if x.dim() > 1 else x,
        lambda: x.expand(2, *x.shape) if x.dim() < 2 else x.transpose(0, -1),
        lambda: x.detach(),
        lambda: x.diagonal() if x.dim() == 2 else x,
        lambda: x.chunk(2, -1)[-1] if x.dim() else x.squeeze(),
        lambda: x.unbind(0)[-1] if x.dim() > 1 else x.unsqueeze(-1),
        lambda: x.movedim(0, -1) if x.dim() else x.data,
        lambda: x.narrow(-1, 0, 1).squeeze(-1) if x.dim() else x.view_as(x),
        lambda: x.unfold(-1, 2, 1) if x.dim() and x.shape[-1] > 1 and x.dim() < 3 else x.flatten(),
        lambda: x.as_strided((1,), (1,), x.storage_offset()),
    ]
    pool.append(draw.choice(makers)())


def writable(draw: random.Random, pool: Tensors) -> torch.Tensor:
    """A tensor whose elements are memory of their own (not expanded, not unfolded)."""
    return draw.choice([x for x in pool if not overlaps(x)])


def overlaps(x: torch.Tensor) -> bool:
    """Whether two elements are the same memory: what an in-place operation does there torch leaves open."""
    if all(s != 0 or n == 1 for s, n in zip(x.stride(), x.shape, strict=True)) and x.is_contiguous():
        return False
    count = x.untyped_storage().nbytes() // x.element_size()
    places = torch.arange(count).as_strided(x.shape, x.stride(), x.storage_offset())
    return len(set(places.reshape(-1).tolist())) < x.numel()


def fitting(draw: random.Random, pool: Tensors, x: torch.Tensor) -> torch.Tensor:
    """A tensor that broadcasts to the shape of `x` and does not share a part of its memory at other places."""
    fits = []
    for y in pool:
        try:
            shape = torch.broadcast_shapes(x.shape, y.shape)
        except RuntimeError:
            continue
        apart = y.untyped_storage()._cdata != x.untyped_storage()._cdata
        if shape == x.shape and (apart or y is x):
            fits.append(y)
    return draw.choice(fits) if fits else torch.tensor(draw.uniform(0.3, 2), dtype=x.dtype)


def in_place(draw: random.Random, pool: Tensors) -> None:
    """One in-place operation."""
    x = writable(draw, pool)
    y, z = fitting(draw, pool, x), fitting(draw, pool, x)
    number = draw.uniform(0.2, 1.5)
    draw.choice([
        lambda: x.add_(y, alpha=number), lambda: x.mul_(y), lambda: x.sub_(y), lambda: x.mul_(number),
        lambda: x.addcmul_(y, z, value=number), lambda: x.addcdiv_(y, z.abs() + 1, value=number),
        lambda: x.lerp_(y.expand_as(x).to(x.dtype), number), lambda: x.copy_(y), lambda: x.neg_(),
        lambda: x.clamp_(min=-number, max=number), lambda: x.abs_(), lambda: x.fill_(number),
        lambda: x.masked_fill_(y > number, 0.5), lambda: x.add_(x), lambda: x.zero_() if draw.random() < 0.2 else x,
        lambda: torch.maximum(x, y.to(x.dtype).expand_as(x).clone(), out=x) if x.is_contiguous() else x,
        lambda: x.div_(y.abs() + 1), lambda: x.pow_(2).clamp_(max=9.0), lambda: x.abs_().add_(number).rsqrt_(),
        lambda: x.clamp_min_(-number), lambda: x.sign_().mul_(number), lambda: x.copysign_(y), lambda: x.tanh_(),
        lambda: x.lerp_(y.expand_as(x).to(x.dtype), z.expand_as(x).to(x.dtype).sigmoid()),
        lambda: x.addcdiv_(y, z.square() + number), lambda: x.clamp_(max=z.to(x.dtype)), lambda: x.atan2_(z.abs() + 1),
        lambda: x[..., :1].add_(number) if x.dim() else x.sub_(number), lambda: x.data.mul_(number),
    ])()  # fmt: skip


def functional(draw: random.Random, pool: Tensors) -> None:
    """One operation that makes a tensor."""
    x = draw.choice(pool)
    y = fitting(draw, pool, x)
    number = draw.uniform(0.2, 1.5)
    pool.append(draw.choice([
        lambda: x + y, lambda: x * y, lambda: number - x, lambda: x / (y.abs() + 1), lambda: (x.abs() + 1).sqrt(),
        lambda: x.clone(), lambda: x.to(torch.float32), lambda: x.double(), lambda: x.sum(),
        lambda: x.mean(dim=-1, keepdim=True) if x.dim() else x.exp().clamp(max=2), lambda: torch.sign(x) * y,
        lambda: torch.where(x > y, x, y), lambda: torch.minimum(x, y.to(x.dtype)), lambda: x.square(),
        lambda: torch.cat([x.reshape(-1), y.to(x.dtype).reshape(-1)]), lambda: torch.stack([x, x]), lambda: x.flip(0),
        lambda: torch.zeros_like(x).add_(y), lambda: x.norm(), lambda: x @ x if x.dim() == 1 else x.amax(),
        lambda: torch.full_like(x, number), lambda: x.repeat(2) if x.dim() == 1 else x.reshape(-1).cumsum(0),
        lambda: x.std(unbiased=False), lambda: x.var(dim=-1, keepdim=True, unbiased=False), lambda: x.max(),
        lambda: x.norm(dim=-1, keepdim=True), lambda: x.abs().amin(-1), lambda: (x.abs() + number).log(),
        lambda: torch.outer(x.reshape(-1)[:2], y.to(x.dtype).reshape(-1)[:2]), lambda: torch.nn.functional.relu(x),
        lambda: x.reshape(-1)[:2].tanh().exp(), lambda: torch.hypot(x, y.to(x.dtype)), lambda: x.clamp(-1, 1).asin(),
        lambda: torch.einsum("...i,...i->...", x, x), lambda: (x.abs() + 1).reciprocal() - x.sigmoid(),
        lambda: torch.where((x > 0) & ~(y > number) | (x == y), x, -number), lambda: (x > number).to(x.dtype) * y,
        lambda: torch.addmm(x[:1, :1], x, x.t(), beta=0.5, alpha=number) if x.dim() == 2 else x.dot(x.clone()).sqrt()
        if x.dim() == 1 else x.abs(), lambda: x.index_select(-1, torch.tensor([0])), lambda: x.new_zeros(2) + number,
        lambda: torch.linalg.vector_norm(x, ord=float("inf")), lambda: x.softmax(-1),
        lambda: x.gather(-1, torch.zeros_like(x, dtype=torch.long)),
    ])() if x.dim() else x * number)  # fmt: skip


def over_lists(draw: random.Random, pool: Tensors) -> None:
    """One `_foreach_*` operation."""
    x = writable(draw, pool)
    xs = [x, x.clone()]
    ys = [fitting(draw, pool, x).to(x.dtype).expand_as(x).clone() for _ in xs]
    number = draw.uniform(0.2, 1.5)
    draw.choice([
        lambda: torch._foreach_add_(xs, ys, alpha=number), lambda: torch._foreach_mul_(xs, number),
        lambda: torch._foreach_addcmul_(xs, ys, ys, value=number), lambda: torch._foreach_lerp_(xs, ys, number),
        lambda: torch._foreach_copy_(xs, ys), lambda: torch._foreach_mul_(xs, [number, 0.5]),
        lambda: pool.extend(torch._foreach_add(xs, ys)), lambda: torch._foreach_zero_(xs[1:]),
        lambda: pool.extend(torch._foreach_sqrt([a.abs() + 1 for a in xs])), lambda: torch._foreach_neg_(xs),
        lambda: torch._foreach_div_(xs, [a.abs() + 1 for a in ys]), lambda: torch._foreach_sub_(xs, number),
        lambda: torch._foreach_addcdiv_(xs, ys, [a.abs() + 1 for a in ys], scalars=[number, -0.25]),
        lambda: torch._foreach_maximum_(xs, ys), lambda: pool.extend(torch._foreach_pow([a.abs() for a in xs], 2)),
        lambda: pool.extend(torch._foreach_norm(xs)), lambda: torch._foreach_clamp_max_(xs, number),
        lambda: torch._foreach_mul_(xs, torch.tensor(number)), lambda: pool.extend(torch._foreach_sign(xs)),
        lambda: torch._foreach_lerp_(xs, ys, [a.sigmoid() for a in ys]), lambda: torch._foreach_abs_(xs),
        lambda: torch._foreach_add_(xs, [number, 0.125]),
        lambda: torch._foreach_reciprocal_([a.abs_().add_(1) for a in xs]),
    ])()  # fmt: skip
    pool.append(xs[1])


def through_python(draw: random.Random, pool: Tensors) -> None:
    """Values that leave tensors as Python numbers and come back; masks and indices; out=."""
    x = writable(draw, pool)
    first = x.reshape(-1)[:1]
    draw.choice([
        lambda: x.mul_(first.item() * 0.5), lambda: pool.append(x * (1 - first.sum().item())),
        lambda: pool.append(torch.full_like(x, first.item())), lambda: x.__setitem__(x > 0.4, 0.25),
        lambda: pool.append(x.reshape(-1)[torch.tensor([0])]), lambda: x.__setitem__(x < -0.1, -0.75),
        lambda: pool.append(torch.add(x, x, out=torch.empty_like(x))),
        lambda: pool.append(torch.mul(x, 0.5, out=torch.zeros_like(x))),
        lambda: x.mul_(1 / (1 + abs(float(first)))), lambda: x.add_(max(first.item(), 0.25)),
        lambda: x.reshape(-1).tolist() and x.mul_(x.reshape(-1).tolist()[-1] ** 2), lambda: x.__setitem__(..., 0.3125),
        lambda: pool.append(torch.tensor([first.item(), 0.5])), lambda: x.masked_fill_(x.isnan() | (x < -0.5), 0.125),
        lambda: x.__setitem__(x.abs() > 0.7, first.mean()),
        lambda: pool.append(torch.sqrt(x.abs(), out=torch.empty(0))),
        lambda: pool.append(copy.deepcopy(x)), lambda: setattr(x, "data", x.data.clone()),
    ])()  # fmt: skip


KINDS = (view, view, in_place, in_place, in_place, functional, over_lists, through_python)


def run(seed: int) -> tuple[Memory, Tensors, dict[Node, Bounded]]:
    """One random program under shadow memory: its memory, all its tensors, the values of the symbols."""
    draw = random.Random(seed)
    trace = Trace()
    memory = Memory(trace)
    generator = torch.Generator().manual_seed(seed)
    point: dict[Node, Bounded] = {}
    with prepared(trace):
        pool: Tensors = []
        for k, shape in enumerate([(3,), (2, 3), (), (3, 1)]):
            dtype = draw.choice([torch.float64, torch.float64, torch.float32])
            pool.append(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype))
            memory.set_symbol(pool[-1], "x", k)
            flat = pool[-1].reshape(-1).tolist()  # a later cast to float32 may round these: it is no node of its own
            point.update({expr.sym("x", (k, j)): (v, ULPS * UNIT * abs(v)) for j, v in enumerate(flat)})
        with watching(memory):
            for _ in range(STEPS):
                draw.choice(KINDS)(draw, pool)
    return memory, pool, point


def wrong(seed: int) -> list[str]:
    """Operations that were not followed, and elements whose expression is not their value, all rounding allowed for."""
    memory, pool, point = run(seed)
    found = [f"seed {seed}: {op} at {site} was not followed" for op, site in memory.trace.opaque]
    for k, tensor in enumerate(pool):
        nodes = memory.read(tensor).reshape(-1)
        flat = tensor.detach().double().reshape(-1).tolist()
        for j, ((value, error), observed) in enumerate(zip(values(nodes, point, UNIT), flat, strict=True)):
            undefined = value != value and observed != observed
            if not abs(value - observed) <= error and not undefined and abs(value) < 1e30:
                found.append(f"seed {seed}, tensor {k}, element {j}: {nodes[j]} is {value}, torch has {observed}")
    return found


@pytest.mark.parametrize("block", range(6))
def test_expressions_give_the_values(block: int) -> None:
    """After any random program, every element's expression evaluates to the element."""
    for seed in range(block * PROGRAMS, (block + 1) * PROGRAMS):
        assert [] == wrong(seed)[:3]


def test_a_lost_write_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that forgets writes to strided views fails the check within a few programs."""
    kept = Memory.write

    def forgetful(self: Memory, tensor: torch.Tensor, nodes: Any) -> None:
        if tensor.is_contiguous():
            kept(self, tensor, nodes)

    monkeypatch.setattr(Memory, "write", forgetful)

    assert any(wrong(seed) for seed in range(40))


def test_a_stale_alias_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that hands out copies instead of views of its shadow fails the check."""
    kept = Memory.read
    monkeypatch.setattr(Memory, "read", lambda self, tensor: kept(self, tensor).copy())

    assert any(wrong(seed) for seed in range(40))


class KeptNarrow(torch.optim.Optimizer):
    """Momentum kept in bfloat16; what is taken out of it, in the gradient's format, is another tensor."""

    def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["buf"] = torch.zeros_like(p.grad, dtype=torch.bfloat16)
                state["buf"].lerp_(p.grad.to(torch.bfloat16), 1 - group["momentum"])
                p.sub_(state["buf"].to(p.grad.dtype).mul_(group["lr"]))


def test_what_is_taken_out_of_narrow_state_is_a_copy() -> None:
    """A lift runs in double, where a conversion would return the state itself; scaling its result scales no state."""
    found = lift(KeptNarrow)

    assert found.rule is not None
    momentum, buf, g = (sympy.Symbol(name, real=True) for name in ("momentum", "buf", "g"))
    assert 0 == sympy.expand(dict(found.rule.step)[buf] - momentum * buf - (1 - momentum) * g)
