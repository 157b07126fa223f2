"""The tutorial's own training loop on real data, run three ways, and its three trajectories compared bit by bit.

The loop is the one such tutorials show: a linear model with weight and bias, minibatches, and an L2 term

    loss = mse(model(x), y) + lam * sum((p**2).sum() for p in model.parameters())
    loss.backward()

replaced first by `weight_decay=2 * lam` and then by parameter groups, decay for weights and none for biases.

What `loss.backward()` does to the bits: the backward of `lam * (p**2).sum()` is rn(rn(lam) * 2p), 2p being exact, and
`p` enters the data term once, so autograd adds two numbers, whose order does not matter: p.grad = rn(g + rn(rn(lam) *
2p)), g the gradient of the data term alone. `weight_decay` computes g + 2*lam*p inside the optimizer, rounding the
product or not (fma). The two are the same bits whenever the product is exact, which dyadic `lam` (a power of two)
guarantees short of underflow; from equal gradients all that follows is the same code, so whole trajectories are equal.
With other values of `lam` each step is held against the set {rn(g + rn(2*lam*p)), fma(2*lam, p, g)}, re-anchored on
the observed parameters and state. A parameter that enters the loss through two data terms loses even the dyadic
case: three numbers are added, in an order that autograd chooses.

There is no tolerance in this module: a value is equal, or one of a finite set, or wrong.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from verifier.evidence import Verdict
from verifier.floats import FORMATS, Array, Format
from verifier.tutorial.sets import admissible, dyadic, representable, total

Penalty = Callable[[float, Iterable[torch.Tensor]], torch.Tensor]

PATHS = ("penalty", "weight_decay", "penalty on weights", "groups")
"""The four runs: the first two are compared with each other, and so are the last two."""

PAIRS = (("penalty", "weight_decay"), ("penalty on weights", "groups"))


def l2(lam: float, parameters: Iterable[torch.Tensor]) -> torch.Tensor:
    """lam * sum of squares over all elements of `parameters`, as the tutorial writes it. shape=()"""
    return lam * sum(((p**2).sum() for p in parameters), start=torch.zeros(()))


@dataclass(frozen=True)
class Loop:
    """One training loop: the optimizer, the penalty's `lam`, where it runs and for how long.

    `options` are the optimizer's own, without `weight_decay`. `optimizer` is any class with torch's signature.
    """

    lam: float
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.SGD
    options: Mapping[str, Any] = field(default_factory=lambda: {"lr": 0.1})
    device: str = "cpu"
    dtype: str = "float32"
    data: str = "diabetes"
    epochs: int = 2
    batch: int = 32
    seed: int = 0
    penalty: Penalty = l2

    @property
    def format(self) -> Format:
        """The float format of `dtype`."""
        return FORMATS[self.dtype]

    @property
    def dyadic(self) -> bool:
        """Whether `lam` is a power of two, for which the theorem demands identical bits."""
        return dyadic(self.lam)


@dataclass(frozen=True)
class Comparison:
    """Two paths of one loop compared: the first parts of `pair` by autograd, the second inside the optimizer.

    `demanded` is whether the theorem demands identical bits (its hypothesis is checked on every observed value),
    `identical` whether they were; `outside` counts element-steps whose value is in no admissible set; `ulps` is the
    largest distance between the two trajectories' ends, which is information and decides nothing.
    """

    pair: tuple[str, str]
    loop: Loop
    steps: int = 0
    elements: int = 0
    inexact: int = 0  # element-steps whose product 2*lam*w was not representable
    demanded: bool = False
    identical: bool = False
    outside: int = 0
    first: str = ""
    ulps: float = 0.0
    untestable: str = ""

    @property
    def verdict(self) -> Verdict:
        """Violated where a set was left or demanded bits differ; untestable without the device; held otherwise."""
        if self.untestable:
            return Verdict.UNTESTABLE
        if self.outside or (self.demanded and not self.identical):
            return Verdict.VIOLATED
        return Verdict.HELD

    @property
    def sentence(self) -> str:
        """What was seen, in one line."""
        name = getattr(self.loop.optimizer, "__name__", "optimizer")
        options = ", ".join(f"{key}={value!r}" for key, value in self.loop.options.items())
        where = f"{name}({options}), lam={self.loop.lam!r}, {self.loop.device} {self.loop.dtype}, {self.loop.data}"
        if self.untestable:
            return f"{' == '.join(self.pair)} [{where}]: {self.untestable}"
        if self.verdict is Verdict.VIOLATED:
            return f"{' != '.join(self.pair)} [{where}]: {self.first}"
        seen = "identical bits" if self.identical else f"every step in its set, {self.ulps:g} ulp apart at the end"
        asked = ", as the theorem demands" if self.demanded else ""
        return f"{' == '.join(self.pair)} [{where}]: {seen}{asked}, {self.steps} steps, {self.elements} elements"


def missing(device: str) -> str:
    """Why nothing can run on `device` here; empty where it can."""
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        return f"no CUDA device (torch {torch.__version__})"
    return ""


def samples(loop: Loop) -> tuple[torch.Tensor, torch.Tensor]:
    """The real data of `loop`, standardised: features, shape=(samples, features), and targets, shape=(samples, 1).

    From scikit-learn's wheel, no download. `diabetes` (Efron et al. 2004, Ann. Statist. 32(2)): 442 patients;
    `breast_cancer` (Street et al. 1993): 569 tumours, the label as a number.
    """
    from sklearn import datasets

    loaders = {"diabetes": datasets.load_diabetes, "breast_cancer": datasets.load_breast_cancer}
    if loop.data not in loaders:
        raise KeyError(f"no data set {loop.data!r}; there are {', '.join(loaders)}")
    features, targets = loaders[loop.data](return_X_y=True)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    targets = (targets - targets.mean()) / targets.std()
    place: dict[str, Any] = {"dtype": getattr(torch, loop.dtype), "device": loop.device}
    return torch.tensor(features, **place), torch.tensor(targets[:, None], **place)


def batches(loop: Loop, samples: int) -> Iterator[torch.Tensor]:
    """The indices of each minibatch, reshuffled every epoch; the same for every path of one loop."""
    generator = torch.Generator().manual_seed(loop.seed + 1)
    for _ in range(loop.epochs):
        yield from torch.split(torch.randperm(samples, generator=generator), loop.batch)


def model(loop: Loop, features: int) -> torch.nn.Linear:
    """The tutorial's model, the same initial values for every path of one loop."""
    generator = torch.Generator().manual_seed(loop.seed)
    with torch.random.fork_rng(devices=()):  # torch's own initial values are drawn, and not used
        linear = torch.nn.Linear(features, 1).to(getattr(torch, loop.dtype))
    with torch.no_grad():
        for p in linear.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return linear.to(loop.device)


def weights(linear: torch.nn.Module) -> list[torch.nn.Parameter]:
    """The parameters that are decayed when biases are not."""
    return [p for name, p in linear.named_parameters() if not name.endswith("bias")]


def decayed(linear: torch.nn.Module, path: str) -> list[torch.nn.Parameter]:
    """The parameters on which `path` puts the L2 term."""
    return weights(linear) if path in ("penalty on weights", "groups") else list(linear.parameters())


def optimizer(loop: Loop, linear: torch.nn.Module, path: str) -> torch.optim.Optimizer:
    """The optimizer of `path`, made as the tutorial makes it."""
    if path == "weight_decay":
        return loop.optimizer(linear.parameters(), weight_decay=2 * loop.lam, **loop.options)
    if path == "groups":
        biases = [p for name, p in linear.named_parameters() if name.endswith("bias")]
        groups = [
            {"params": weights(linear), "weight_decay": 2 * loop.lam},
            {"params": biases, "weight_decay": 0.0},
        ]
        return loop.optimizer(groups, **loop.options)
    return loop.optimizer(linear.parameters(), **loop.options)


def flat(tensors: Iterable[torch.Tensor | None]) -> Array:
    """The values of `tensors` as one float64 array. shape=(elements,)"""
    parts = [x.detach().to("cpu", torch.float64).reshape(-1) for x in tensors if x is not None]
    return np.asarray(torch.cat(parts).numpy())


Watch = Callable[["Step"], None]


@dataclass(frozen=True)
class Step:
    """What is in place just before an optimizer step: the model with its gradients, the optimizer, this minibatch."""

    number: int
    path: str
    model: torch.nn.Linear
    optimizer: torch.optim.Optimizer
    x: torch.Tensor
    y: torch.Tensor
    take: Callable[[], None]  # takes the step


def train(loop: Loop, path: str, around: Watch | None = None) -> Array:
    """The parameters before the first step and after each, along `path`. shape=(steps + 1, elements)

    `around` is called in place of each optimizer step and must take it: `step.take()`.
    """
    x, y = samples(loop)
    linear = model(loop, x.shape[1])
    stepper = optimizer(loop, linear, path)
    trajectory = [flat(linear.parameters())]
    for number, index in enumerate(batches(loop, len(x)), 1):
        batch = index.to(loop.device)
        stepper.zero_grad()
        loss = torch.nn.functional.mse_loss(linear(x[batch]), y[batch])
        if path.startswith("penalty"):
            loss = loss + loop.penalty(loop.lam, decayed(linear, path)).to(loss.device)
        loss.backward()  # type: ignore[no-untyped-call]
        if around is None:
            stepper.step()
        else:
            around(Step(number, path, linear, stepper, x[batch], y[batch], lambda: _take(stepper)))
        trajectory.append(flat(linear.parameters()))
    return np.stack(trajectory)


def _take(stepper: torch.optim.Optimizer) -> None:
    stepper.step()


def compare(loop: Loop, pair: tuple[str, str] = PAIRS[0]) -> Comparison:
    """Both paths of `pair` trained and compared; the second is also checked step by step against its finite sets.

    Each step of the second path must end where the same optimizer without decay, from the same parameters and state,
    ends with one of the admissible gradients, element by element; each gradient of the first must be
    rn(g + rn(rn(lam) * 2w)), g recomputed from the data term alone.
    """
    reason = missing(loop.device)
    if not reason and loop.options.get("fused") and loop.format.precision < 24:
        reason = "fused kernels keep g + weight_decay * w in fp32 registers, where no 16-bit gradient can follow them"
    if reason:
        return Comparison(pair, loop, untestable=reason)
    watched = _Watched(loop)
    first = train(loop, pair[0], watched.gradient)
    second = train(loop, pair[1], watched.step)
    fmt = loop.format
    apart = np.argwhere((first != second) | (np.signbit(first) != np.signbit(second)))
    where = watched.first
    if not where and len(apart):
        step, element = (int(k) for k in apart[0])
        where = (
            f"step {step}, element {element}: {second[step, element].hex()} by {pair[1]}, "
            f"but should be {first[step, element].hex()} as by {pair[0]}"
        )
    return Comparison(
        pair=pair,
        loop=loop,
        steps=len(first) - 1,
        elements=first[1:].size,
        inexact=watched.inexact,
        demanded=loop.dyadic and not watched.inexact,
        identical=not len(apart),
        outside=watched.outside,
        first=where,
        ulps=float(fmt.distance(first[-1], second[-1]).max()),
    )


class _Watched:
    """The running account of one comparison: what lay outside its set, and the first place it did."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.outside = 0
        self.inexact = 0
        self.first = ""

    def _note(self, step: Step, element: int, observed: float, expected: Iterable[float]) -> None:
        self.outside += 1
        names = " or ".join(value.hex() for value in expected)
        message = f"step {step.number}, element {element}: {observed.hex()}, but should be {names} [{step.path}]"
        self.first = self.first or message

    def _decays(self, step: Step) -> NDArray[np.bool_]:
        """Which elements carry the L2 term. shape=(elements,)"""
        chosen = {id(p) for p in decayed(step.model, step.path)}
        return np.concatenate([np.full(p.numel(), id(p) in chosen) for p in step.model.parameters()])

    def gradient(self, step: Step) -> None:
        """Holds the penalised loss's gradient against rn(g + rn(rn(lam) * 2w)), then takes the step."""
        fmt, parameters = self.loop.format, list(step.model.parameters())
        w, observed = flat(parameters), flat(p.grad for p in parameters)
        alone = torch.autograd.grad(torch.nn.functional.mse_loss(step.model(step.x), step.y), parameters)
        decays = self._decays(step)
        terms = np.where(decays, fmt.round(fmt.round(np.array(self.loop.lam)) * 2 * w), 0.0)
        expected = total(flat(alone), terms, fmt)
        for n in np.flatnonzero(expected != observed).tolist():
            self._note(step, n, float(observed[n]), (float(expected[n]),))
        self.inexact += int((~representable(w, self.loop.lam, fmt) & decays).sum())
        step.take()

    def step(self, step: Step) -> None:
        """Takes the step, then holds it against the same step without decay from each admissible gradient."""
        fmt, parameters = self.loop.format, list(step.model.parameters())
        w, g = flat(parameters), flat(p.grad for p in parameters)
        before, decays = copy.deepcopy((step.model, step.optimizer.state_dict())), self._decays(step)
        step.take()
        observed = flat(parameters)
        table = admissible(g.tolist(), w.tolist(), 2 * self.loop.lam, fmt)
        table = [choices if decays[n] else (float(g[n]),) for n, choices in enumerate(table)]
        ends: list[Array] = []
        for k in range(max(len(choices) for choices in table)):
            ends.append(_without_decay(self.loop, before, [c[min(k, len(c) - 1)] for c in table]))
        for n in range(len(observed)):
            allowed = {float(end[n]) for end in ends}
            if float(observed[n]) not in allowed:
                self._note(step, n, float(observed[n]), sorted(allowed))


def _without_decay(loop: Loop, before: tuple[torch.nn.Linear, dict[str, Any]], g: Sequence[float]) -> Array:
    """The parameters after one step without decay, from the parameters and state of `before`, with gradient `g`."""
    linear, state = copy.deepcopy(before)
    for group in state["param_groups"]:
        group["weight_decay"] = 0.0
    path = "groups" if len(state["param_groups"]) > 1 else "weight_decay"
    stepper = optimizer(loop, linear, path)
    stepper.load_state_dict(state)
    start = 0
    for p in linear.parameters():
        values = torch.tensor(g[start : start + p.numel()], dtype=p.dtype, device=p.device)
        p.grad = values.reshape(p.shape)
        start += p.numel()
    stepper.step()
    return flat(linear.parameters())


def comparisons(loops: Iterable[Loop]) -> list[Comparison]:
    """Every pair of every loop: penalty against weight_decay, and penalty on the weights against groups."""
    return [compare(loop, pair) for loop in loops for pair in PAIRS]


def loops(device: str = "cpu", seed: int = 0, optimizers: Any = torch.optim) -> tuple[Loop, ...]:
    """The loops the tutorial's claims rest on: dyadic and other lam, fp32 and fp64, SGD plain and with momentum, Adam.

    `optimizers` is a namespace with torch's class names.
    """
    plain: dict[str, Any] = {"lr": 0.1}
    choices: tuple[tuple[str, dict[str, Any]], ...] = (
        ("SGD", plain),
        ("SGD", {**plain, "momentum": 0.9}),
        ("Adam", {"lr": 0.01}),
    )
    return tuple(
        Loop(lam=lam, optimizer=getattr(optimizers, name), options=options, device=device, dtype=dtype, seed=seed)
        for lam in (2.0**-5, 0.3)
        for dtype in ("float32", "float64")
        for name, options in choices
    )
