"""What torch does with the tutorial's claims, in arithmetic that is exact, so that one answer is right.

Values are small integers times powers of two, chosen so that every intermediate value of a correct implementation is a
value of the format: then fma or not, whatever the association, the result is one bit pattern. The optimizers come as a
namespace with torch's class names (`torch.optim`, or something broken that has to be caught).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from verifier.evidence import Verdict
from verifier.floats import FORMATS, Array
from verifier.subjects.torch_options import CLASSES
from verifier.tutorial.algebra import Finding
from verifier.tutorial.loop import Loop, Penalty, compare, flat, l2, train

MOMENTUM: Mapping[str, Mapping[str, float]] = {
    "sgd_momentum": {"momentum": 0.875, "dampening": 0.25},
    "sgd_nesterov": {"momentum": 0.875},
    "rmsprop_momentum": {"momentum": 0.875},
    "rmsprop_centered_momentum": {"momentum": 0.875},
}

OPTIMIZERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    rule: (kind, {**switches, **MOMENTUM.get(rule, {})})
    for rule, (kind, switches) in CLASSES.items()
    if rule != "rprop"
}
"""Rule name -> torch's class and the options that select the rule; every rule that has a weight_decay."""

SHAPES = ((3, 5), (5,), (), (2, 3, 1, 3), (17,))
"""A weight, a bias, a scale, a convolution's kernel, a norm's gain: what weight_decay acts on."""


def _held(said: str) -> Finding:
    return Finding(Verdict.HELD, said)


def _violated(said: str) -> Finding:
    return Finding(Verdict.VIOLATED, said)


def _where(observed: Array, expected: Array) -> str:
    """Observed, expected and place of the first difference; empty where there is none."""
    wrong = np.argwhere(observed != expected)
    if not len(wrong):
        return ""
    at = tuple(int(k) for k in wrong[0])
    place = f"element {at[-1]}" if len(at) == 1 else f"step {at[0] + 1}, element {at[-1]}"
    return f"{place}: observed {float(observed[at])!r}, but should be {float(expected[at])!r}"


def _dyadic(generator: np.random.Generator, count: int, bits: int = 6) -> Array:
    """Non-zero integers of `bits` bits, of either sign. shape=(count,)"""
    magnitude = generator.integers(1, 2**bits, count).astype(np.float64)
    return np.where(generator.random(count) < 0.5, -magnitude, magnitude)


def _parameters(values: Array, shapes: Sequence[tuple[int, ...]], device: str, dtype: str) -> list[torch.Tensor]:
    tensors, start = [], 0
    for shape in shapes:
        size = math.prod(shape)
        part = torch.tensor(values[start : start + size].reshape(shape), dtype=getattr(torch, dtype), device=device)
        tensors.append(part.requires_grad_())
        start += size
    return tensors


def _run(
    make: Callable[[list[torch.Tensor]], torch.optim.Optimizer], theta: Array, grads: Array, device: str, dtype: str
) -> Array:
    """theta after each step with the given gradients. shape=(steps, elements)"""
    parameters = _parameters(theta, SHAPES, device, dtype)
    stepper, trajectory = make(parameters), []
    for grad in grads:
        for p, g in zip(parameters, _parameters(grad, SHAPES, device, dtype), strict=True):
            p.grad = g.detach()
        stepper.step()
        trajectory.append(flat(parameters))
    return np.stack(trajectory)


def _inputs(seed: int, steps: int, bits: int = 6) -> tuple[Array, Array]:
    generator, elements = np.random.default_rng(seed), sum(math.prod(s) for s in SHAPES)
    return _dyadic(generator, elements, bits), _dyadic(generator, steps * elements, bits).reshape(steps, elements)


def plain_steps(optimizers: Any, device: str, seed: int) -> Finding:
    """SGD with only a learning rate takes theta to theta - lr*g, step after step, in exact arithmetic."""
    lr = 0.125
    for dtype in ("float64", "float32"):
        theta, grads = _inputs(seed, 5)
        observed = _run(lambda ps: optimizers.SGD(ps, lr=lr), theta, grads, device, dtype)
        wrong = _where(observed, theta - lr * np.cumsum(grads, axis=0))
        if wrong:
            return _violated(f"SGD on {device} {dtype}, {wrong}")
    return _held(f"5 exact steps of SGD on {device}, fp64 and fp32, are theta - lr*g bit for bit")


def l1(lam: float, parameters: Any) -> torch.Tensor:
    """lam * sum of magnitudes over all elements of `parameters`. shape=()"""
    return lam * sum((p.abs().sum() for p in parameters), start=torch.zeros(()))


def penalty_gradient(penalty: Penalty, device: str, seed: int, power: int = 2) -> Finding:
    """Autograd's gradient of the penalty is rn(rn(lam) * 2w) (`power` 2) or rn(lam) * sign(w) (1), every bit."""
    generator = np.random.default_rng(seed)
    count = 0
    for fmt in FORMATS.values():
        w = fmt.round(np.append(generator.standard_normal(200), [0.0, 1.0, -2.0, fmt.smallest_normal]))
        for lam in (2.0**-7, 0.01, 0.3):
            rounded = fmt.round(np.array(lam))
            expected = fmt.round(rounded * 2 * w) if power == 2 else rounded * np.sign(w)
            p = torch.tensor(w, dtype=getattr(torch, fmt.name), device=device, requires_grad=True)
            penalty(lam, [p]).backward()  # type: ignore[no-untyped-call]
            wrong = _where(flat([p.grad]), expected)
            if wrong:
                return _violated(f"autograd on {device} {fmt.name}, lam={lam!r}, {wrong}")
            count += len(w)
    law = "rn(rn(lam) * 2w)" if power == 2 else "rn(lam) * sign(w)"
    return _held(f"autograd on {device} gives {law} bit for bit, {count} elements in fp64, fp32, bf16, fp16")


def shrink_steps(optimizers: Any, device: str, seed: int) -> Finding:
    """With a zero gradient n steps of SGD leave theta * (1 - 2*lr*lam)^n, exactly, for every weight alike."""
    lr, lam, steps = 0.125, 0.25, 4  # 15/16 a step: 6 + 4*4 bits fit fp32
    theta, _ = _inputs(seed, steps)
    expected = theta * (1 - 2 * lr * lam) ** np.arange(1, steps + 1)[:, None]
    for dtype in ("float64", "float32"):
        observed = _run(
            lambda ps: optimizers.SGD(ps, lr=lr, weight_decay=2 * lam), theta, np.zeros_like(expected), device, dtype
        )
        wrong = _where(observed, expected)
        if wrong:
            return _violated(f"SGD on {device} {dtype}, zero gradient, {wrong}")
    return _held(f"{steps} exact steps of SGD on {device} leave theta*(15/16)^n bit for bit, fp64 and fp32")


def rescaled_steps(optimizers: Any, device: str, seed: int) -> Finding:
    """SGD's L2 decay and a decoupled decay by lr*weight_decay end at the same bits without momentum, not with it."""
    lr, decay, steps = 0.125, 0.5, 3
    theta, grads = _inputs(seed, steps, bits=4)

    def decoupled(momentum: float) -> Array:
        parameters = _parameters(theta, SHAPES, device, "float64")
        stepper, trajectory = optimizers.SGD(parameters, lr=lr, momentum=momentum), []
        for grad in grads:
            for p, g in zip(parameters, _parameters(grad, SHAPES, device, "float64"), strict=True):
                p.grad = g.detach()
            with torch.no_grad():
                for p in parameters:
                    p.mul_(1 - lr * decay)
            stepper.step()
            trajectory.append(flat(parameters))
        return np.stack(trajectory)

    def coupled(momentum: float) -> Array:
        make = lambda ps: optimizers.SGD(ps, lr=lr, weight_decay=decay, momentum=momentum)  # noqa: E731
        return _run(make, theta, grads, device, "float64")

    wrong = _where(coupled(0.0), decoupled(0.0))
    if wrong:
        return _violated(f"SGD on {device}, L2 against decoupled decay by lr*weight_decay, {wrong}")
    if not _where(coupled(0.5), decoupled(0.5)):
        return _violated(f"SGD with momentum on {device}: L2 and decoupled decay agree, but should differ from step 2")
    return _held(f"{steps} exact steps of SGD on {device} agree bit for bit without momentum and differ with it")


def equivalence(optimizers: Any, names: Sequence[str], device: str, seed: int, differ: bool = False) -> list[Finding]:
    """The tutorial's loop with the penalty and with weight_decay = 2*lam, lam dyadic: identical bits for each rule.

    `differ` says that they must not agree, as for decoupled decay.
    """
    findings = []
    for name in names:
        kind, options = OPTIMIZERS[name]
        make = getattr(optimizers, kind)
        loop = Loop(2.0**-5, make, {"lr": 0.05, **options}, device=device, dtype="float32", epochs=1, seed=seed)
        seen = compare(loop)
        if not differ:
            findings.append(Finding(seen.verdict, f"{name}: {seen.sentence}"))
        elif seen.verdict is Verdict.VIOLATED:
            findings.append(_held(f"{name}: the trajectories end {seen.ulps:g} ulp apart"))
        else:
            findings.append(_violated(f"{name}: decay is decoupled, yet the paths agree ({seen.sentence})"))
    return findings


def decay_everywhere(optimizers: Any, device: str, seed: int) -> list[Finding]:
    """weight_decay acts on every tensor of a group, biases too: each moves as alone, and not as without decay."""
    return [_one_group(optimizers, name, device, seed) for name in OPTIMIZERS]


def _one_group(optimizers: Any, name: str, device: str, seed: int) -> Finding:
    kind, options = OPTIMIZERS[name]
    make, (theta, grads) = getattr(optimizers, kind), _inputs(seed, 3)
    together = _run(lambda ps: make(ps, lr=0.125, weight_decay=0.5, **options), theta, grads, device, "float32")
    without = _run(lambda ps: make(ps, lr=0.125, weight_decay=0.0, **options), theta, grads, device, "float32")
    alone = _alone(make, options, [0.5] * len(SHAPES), theta, grads, device)
    wrong = _where(together, alone)
    if wrong:
        return _violated(f"{name}: not as each tensor alone, {wrong}")
    ends = np.cumsum([math.prod(s) for s in SHAPES])
    for shape, end in zip(SHAPES, ends, strict=True):
        part = slice(int(end) - math.prod(shape), int(end))
        if np.array_equal(together[:, part], without[:, part]):
            return _violated(f"{name}: weight_decay leaves the tensor of shape {shape} as it was without")
    if kind == "SGD" and not options:
        still = _run(lambda ps: make(ps, lr=0.125, weight_decay=0.5), theta, np.zeros_like(grads), device, "float32")
        wrong = _where(still, theta * 0.9375 ** np.arange(1, 4)[:, None])
        if wrong:
            return _violated(f"{name}: zero gradient, {wrong}")
    return _held(f"{name}: every tensor decays, as it would alone")


def _alone(
    make: Any, options: Mapping[str, Any], decays: Sequence[float], theta: Array, grads: Array, device: str
) -> Array:
    """Each tensor in an optimizer of its own, with its own weight_decay. shape=(steps, elements)"""

    class Each:
        def __init__(self, ps: list[torch.Tensor]) -> None:
            pairs = zip(ps, decays, strict=True)
            self.steppers = [make([p], lr=0.125, weight_decay=decay, **options) for p, decay in pairs]

        def step(self) -> None:
            for stepper in self.steppers:
                stepper.step()

    return _run(Each, theta, grads, device, "float32")  # type: ignore[arg-type]


def groups_as_alone(optimizers: Any, device: str, seed: int) -> list[Finding]:
    """A group with weight_decay 0 turns decay off for its biases alone: every tensor moves as it would by itself."""
    findings = []
    for name, (kind, options) in OPTIMIZERS.items():
        make, (theta, grads) = getattr(optimizers, kind), _inputs(seed, 3)
        decays = [0.0 if len(shape) < 2 else 0.5 for shape in SHAPES]

        def grouped(ps: list[torch.Tensor], make: Any = make, options: Any = options) -> torch.optim.Optimizer:
            chosen = {"params": [p for p in ps if p.ndim >= 2]}
            biases = {"params": [p for p in ps if p.ndim < 2], "weight_decay": 0.0}
            made: torch.optim.Optimizer = make([chosen, biases], lr=0.125, weight_decay=0.5, **options)
            return made

        observed = _run(grouped, theta, grads, device, "float32")
        wrong = _where(observed, _alone(make, options, decays, theta, grads, device))
        findings.append(
            _violated(f"{name}: not as each tensor alone, {wrong}")
            if wrong
            else _held(f"{name}: weights decay, biases do not, each as it would alone")
        )
    return findings


def ridge(optimizers: Any, device: str, seed: int) -> Finding:
    """SGD with weight_decay = 2*lam trains to the ridge fixed point b/(h + 2*lam), and ends smaller than b/h.

    Loss (x*w - y)^2 / 2, so h = x^2 and b = x*y. Each step is compared exactly, in rationals, with
    w - lr*((h + 2*lam)*w - b); the residual r must be within k = 8 roundings of the terms of the sum, |r| <= gamma_k *
    (|w| + lr*(h|w| + |b| + 2*lam|w|)), gamma_k = k*u/(1 - k*u) (Higham 2002, lemma 3.1). Then, exactly,
    |w_T - w*| <= rho^T |w_0 - w*| + max|r|/(1 - rho), rho = |1 - lr*(h + 2*lam)|: a bound, not a tolerance.
    """
    lr, lam, steps = Fraction(1, 8), Fraction(1, 4), 300
    generator = np.random.default_rng(seed)
    x, y = _dyadic(generator, 12, 3) / 4, _dyadic(generator, 12, 5) / 4
    x = np.where(np.abs(x) < 0.5, 0.5, x)
    u = Fraction(FORMATS["float32"].u)
    gamma = 8 * u / (1 - 8 * u)  # x*w, -y, *x, +2*lam*w (twice), *lr, w -: seven, and one to spare
    tx, ty = (torch.tensor(v, dtype=torch.float32, device=device) for v in (x, y))
    w = torch.zeros(12, device=device, requires_grad=True)
    stepper = optimizers.SGD([w], lr=float(lr), weight_decay=float(2 * lam))
    seen = [flat([w])]
    for _ in range(steps):
        stepper.zero_grad()
        (0.5 * (tx * w - ty) ** 2).sum().backward()  # type: ignore[no-untyped-call]
        stepper.step()
        seen.append(flat([w]))
    furthest = Fraction(0)
    for n in range(12):
        h, b = Fraction(float(x[n])) ** 2, Fraction(float(x[n])) * Fraction(float(y[n]))
        path = [Fraction(float(row[n])) for row in seen]
        largest = Fraction(0)
        for k, (now, then) in enumerate(zip(path, path[1:], strict=False), 1):
            residual = abs(then - (now - lr * ((h + 2 * lam) * now - b)))
            allowed = gamma * (abs(now) + lr * (h * abs(now) + abs(b) + 2 * lam * abs(now)))
            if residual > allowed:
                off = f"off the ridge step by {float(residual)!r}, but rounding admits {float(allowed)!r}"
                return _violated(f"SGD on {device}, step {k}, element {n}: {off}")
            largest = max(largest, residual)
        fixed, rho = b / (h + 2 * lam), abs(1 - lr * (h + 2 * lam))
        distance = abs(path[-1] - fixed)
        if rho >= 1 or distance > rho**steps * abs(fixed) + largest / (1 - rho):
            return _violated(f"SGD on {device}, element {n}: {float(path[-1])!r}, but should be {float(fixed)!r}")
        if abs(path[-1]) >= abs(b / h):
            return _violated(f"SGD on {device}, element {n}: |{float(path[-1])!r}| is not below {float(abs(b / h))!r}")
        furthest = max(furthest, distance / abs(fixed))
    near = f"none further than {float(furthest):.2g} of it, as {steps} rounded steps allow"
    return _held(f"SGD on {device} trains 12 fp32 weights to b/(h + 2*lam), {near}, each below b/h")


def smaller_on_data(optimizers: Any, device: str, seed: int) -> Finding:
    """The tutorial's model, trained with weight_decay = 2*lam, ends with smaller weights than trained without."""
    ends = []
    for lam in (0.0, 0.3):
        loop = Loop(lam, optimizers.SGD, {"lr": 0.05}, device=device, dtype="float64", epochs=8, seed=seed)
        final = train(loop, "weight_decay")[-1]
        ends.append(math.fsum(float(v) ** 2 for v in final))
    said = f"on diabetes ({device}) sum(w^2) ends at {ends[1]:.4g} with lam=0.3, at {ends[0]:.4g} without"
    return Finding(Verdict.HELD if ends[1] < ends[0] else Verdict.VIOLATED, said)


def graph_size(loss: torch.Tensor) -> int:
    """How many backward functions autograd keeps for `loss`."""
    seen: set[Any] = set()
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(parent for parent, _ in node.next_functions)
    return len(seen)


def autograd_terms(penalty: Penalty = l2, device: str = "cpu") -> tuple[int, int]:
    """The sizes of the tutorial's autograd graph (backward functions): with the penalty in the loss, and without it."""
    linear = torch.nn.Linear(10, 1).to(device)
    loss = torch.nn.functional.mse_loss(linear(torch.ones(4, 10, device=device)), torch.zeros(4, 1, device=device))
    return graph_size(loss + penalty(0.25, linear.parameters()).to(device)), graph_size(loss)
