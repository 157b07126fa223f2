"""One run of a case as lines of Python that need torch and the optimizer's class alone."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.case import Case, Group
from verifier.floats import FORMATS, Array
from verifier.subjects.torch_foreign import MISSPELT, SWITCHED, switched


@dataclass(frozen=True, eq=False)
class Scene:
    """The class on trial, in one implementation and format; `fixed` are options that are the same in every case."""

    signature: Any
    implementation: str
    dtype: str
    fixed: Mapping[str, float]

    @property
    def target(self) -> str:
        """pkg.mod:Class"""
        return str(self.signature.target)

    @property
    def trains(self) -> bool:
        """Whether the optimizer wants to be told that training begins."""
        return callable(getattr(self.signature.build, "train", None))

    def rounded(self, values: Array) -> Array:
        """Values as the format holds them."""
        return FORMATS[self.dtype].round(values)

    def hyper(self, given: Mapping[str, float]) -> dict[str, float]:
        """Every option, the fixed ones as they are."""
        return {**self.signature.defaults, **given, **self.fixed}

    def arguments(self, given: Mapping[str, float]) -> dict[str, Any]:
        """The constructor's arguments."""
        found: dict[str, Any] = self.signature.arguments(self.hyper(given))
        return found


@dataclass(frozen=True)
class Lines:
    """Lines of a function's body, each of a kind by which two runs are laid side by side."""

    told: tuple[tuple[str, str], ...]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told]

    def of(self, kind: str) -> list[str]:
        """The lines of one kind."""
        return [line for k, line in self.told if k == kind]

    def __iter__(self) -> Any:
        return iter([line for _, line in self.told])


def lines_of(
    scene: Scene,
    case: Case,
    *,
    returned: str = "",
    elements: Sequence[int] = (),
    state: bool | str = False,
) -> Lines:
    """The body of a function that runs `case` and returns all parameters as one flat tensor, or `returned`.

    `elements`: of it, those alone. `state`: with the state tensors behind, or one of that name instead. ValueError
    where the case needs what a script cannot say.
    """
    whole = case.events.get(0, ())
    for name in whole:
        kind, _, value = name.partition(":")
        if kind == "implementation" and value in ("forloop", "foreach", "fused", "differentiable"):
            scene = Scene(scene.signature, value, scene.dtype, scene.fixed)
        elif kind == "implementation":
            scene = Scene(scene.signature, scene.implementation, value, scene.fixed)
        elif kind not in (
            "dtype",
            "complex",
            "sparse",
            "tensor_lr",
            "threads",
            "filled",
            "inspect",
            "dirty",
            "misspelt",
            "scaled",
            "ascending",
        ):
            raise ValueError(f"it needs {kind}")
    late = {int(n.partition(":")[2]) for k, names in case.events.items() for n in names if n.startswith("group:")}
    joined = [k for k in range(len(case.all_groups)) if k not in late]
    told = [("threads", f"torch.set_num_threads({n.partition(':')[2]})") for n in whole if n.startswith("threads")]
    if "filled" in whole:
        told.append(("filled", "torch.use_deterministic_algorithms(True, warn_only=True)"))
    if "complex" in whole:
        returned = "torch.view_as_real(torch.cat([x.detach().flatten() for x in p])).double().flatten()"
    told.append(("p", f"p = {_parameters(scene, case)}"))
    reloads = any(name.startswith("resume") for names in case.events.values() for name in names)
    building = built(scene, case, case.hyper, joined)
    wanted = returned.endswith(", build")
    if wanted or reloads:
        told += [("build", f"build = lambda p: {building}"), ("opt", "opt = build(p)")]
    else:
        told.append(("opt", f"opt = {building}"))
    if scene.trains:
        told.append(("train", "opt.train()"))
    closing = scene.signature.needs_closure or any("closure" in names for names in case.events.values())
    if returned == "seen":
        told.append(("seen", "seen = []"))
    if "sparse" in whole:
        told.append(("sparse", SPARSE))
    rows = _rows([_row(scene, case, step) for step in range(1, case.steps + 1)])
    told.append(("rows", f"rows = {rows}"))
    told.append(("for", "for step, grads in enumerate(rows, 1):"))
    dirt = [n.partition(":")[2] for n in whole if n.startswith("dirty")]
    told += [
        ("dirty", f"    [torch.full((16 * n,), float({v!r})) for n in range(1, 65) for _ in range(4)]") for v in dirt
    ]
    for step in sorted(step for step in case.schedule if step <= case.steps):
        told += [("schedule", line) for line in _scheduled(scene, case, step, joined)]
    for step, names in sorted(case.events.items()):
        for name in names if step else ():
            if name != "closure":
                told += _event(scene, case, step, name, joined)
    if closing:
        told += _closure(returned == "seen")
    else:
        for scale in (n.partition(":")[2] for n in whole if n.startswith("scaled:")):
            told.append(("scaled", f"    grads = [g if g is None else {scale} * g for g in grads]"))
            told.append(("scaled", f"    opt.grad_scale, opt.found_inf = torch.tensor({scale}.), torch.tensor(0.)"))
        told += [("grads", "    for x, g in zip(p, grads): x.grad = g"), ("step", "    opt.step()")]
    if (
        "] * " in rows and "None" not in rows and case.grad_layout == "contiguous"
    ):  # a step may write into its gradients
        told = [(part, line.replace("x.grad = g", "x.grad = g.clone()")) for part, line in told]
    return Lines((*told, ("return", f"return {returned or _returned(elements, state)}")))


def _returned(elements: Sequence[int], state: bool | str) -> str:
    text = "torch.cat([x.detach().double().flatten() for x in p"
    if isinstance(state, str):
        text = f"torch.cat([opt.state[x][{state!r}].detach().double().flatten() for x in p"
    elif state:
        text = (
            "torch.cat([v.detach().double().flatten() for x in p for v in (x, *opt.state[x].values())"
            " if torch.is_tensor(v) and v.shape == x.shape"
        )
    return f"{text}])" + (f"[{_indices(elements)}]" if len(elements) else "")


def _indices(elements: Sequence[int]) -> str:
    """The elements of a flat tensor: a slice where they lie side by side, arithmetic where they repeat."""
    found = [int(e) for e in elements]
    if found == list(range(found[0], found[-1] + 1)):
        return f"{found[0]}:{found[-1] + 1}"
    period = max(found) + 1
    if len(found) > 64 and all(e == k % period for k, e in enumerate(found)):
        return f"torch.arange({len(found)}) % {period}"
    return repr(found)


def built(scene: Scene, case: Case, hyper: Mapping[str, float], joined: Sequence[int], *, own: bool = True) -> str:
    """The expression that makes the optimizer of the groups that have joined."""
    signature = scene.signature
    plain, defaults = scene.arguments(hyper), signature.arguments(signature.defaults)
    asked = inspect.signature(signature.build).parameters.values()
    needed = {p.name for p in asked if p.default is p.empty or type(p.default).__name__ == "_RequiredParameter"}
    always = {"lr", *signature.fixed, *needed}
    options = {n: v for n, v in plain.items() if v != defaults.get(n) or n in always}
    if "tensor_lr" in case.events.get(0, ()) and "lr" in options:
        options["lr"] = Text(f"torch.tensor({options['lr']!r}, dtype=torch.float64)")
    options |= {MISSPELT: 0.1} if "misspelt" in case.events.get(0, ()) else {}
    options |= switched(signature, scene.implementation)
    options |= {"maximize": True} if case.maximize else {}
    groups = [case.all_groups[k] for k in joined]
    told = [_group(scene, hyper, group if own else Group(group.tensors)) for group in groups]
    up = [f"ascending:{k}" in case.events.get(0, ()) for k in joined]
    given = ", ".join(f"{g[:-1]}, 'maximize': True}}" if rises else g for g, rises in zip(told, up, strict=True))
    whole = len(groups) == 1 and groups[0].tensors == tuple(range(len(case.shapes))) and "': " not in given[10:]
    name = scene.target.rpartition(":")[2]
    first = "p" if whole else f"[{given}]"
    if signature.first.startswith("named") or "model" in signature.first or "module" in signature.first:
        if not whole:
            raise ValueError(f"the class takes {signature.first}, and has one group")
        first = "torch.nn.ParameterDict({f'weight{k}': x for k, x in enumerate(p)})"
        first = first if not signature.first.startswith("named") else f"list({first}.named_parameters())"
    first = first if signature.first == "params" else f"{signature.first}={first}"
    return f"{name}({first}{''.join(f', {n}={_literal(v)}' for n, v in options.items())})"


def _group(scene: Scene, hyper: Mapping[str, float], group: Group) -> str:
    plain, theirs = scene.arguments(hyper), scene.arguments({**hyper, **group.hyper})
    own = "".join(f", {n!r}: {_literal(v)}" for n, v in scene.signature.keys.items())
    own += "".join(f", {n!r}: {_literal(v)}" for n, v in theirs.items() if v != plain[n])
    return f"{{'params': [{', '.join(f'p[{k}]' for k in group.tensors)}]{own}}}"


def _scheduled(scene: Scene, case: Case, step: int, joined: Sequence[int]) -> list[str]:
    """Lines that change options before a step: of all groups at once where it is the same change."""
    changes = []
    for group in (case.all_groups[k] for k in joined):
        before, now = (scene.arguments(case.hyper_at(k, group)) for k in (step - 1, step))
        changes.append(_dict({n: v for n, v in now.items() if v != before[n]}))
    if len(set(changes)) == 1:
        lines = [f"[g.update({changes[0]}) for g in opt.param_groups]"]
    else:
        lines = [f"opt.param_groups[{k}].update({told})" for k, told in enumerate(changes)]
    if "tensor_lr" in case.events.get(0, ()):
        lines = [re.sub(r"g\.update\({'lr': (.*)}\)", r"g['lr'].fill_(\1)", line) for line in lines]
    return [f"    if step == {step}: {line}" for line in lines if "update({})" not in line]


def _parameters(scene: Scene, case: Case) -> str:
    """The list of all parameters; those that repeat are copies of what is written once."""
    each = [_tensor(scene, case, k) for k in range(len(case.shapes))]
    period, times = _repeated(each)
    if times == 1:
        return f"[{', '.join(each)}]"
    again = "x.detach().clone().requires_grad_()" if scene.implementation != "differentiable" else "x.clone()"
    return f"[{again} for x in [{', '.join(each[:period])}] * {times}]"


def _repeated(texts: Sequence[str]) -> tuple[int, int]:
    """How many entries there are until they repeat, and how often a long list repeats them: once, where not at all."""
    count = len(texts)
    whole = (n for n in range(1, 9) if count > 64 and count % n == 0 and list(texts) == list(texts[:n]) * (count // n))
    period = next(whole, count)
    return period, count // period if period else 1


def _rows(rows: Sequence[str]) -> str:
    """The gradients of all steps; what repeats is written once."""
    for period in (1, 2, 4, 8):
        if len(rows) > 2 * period and all(row == rows[k % period] for k, row in enumerate(rows)):
            whole, rest = divmod(len(rows), period)
            repeated = f"[{', '.join(rows[:period])}] * {whole + bool(rest)}"
            return f"({repeated})[:{len(rows)}]" if rest else repeated
    return f"[{', '.join(rows)}]"


def _event(scene: Scene, case: Case, step: int, name: str, joined: Sequence[int]) -> list[tuple[str, str]]:
    """What happens before a step, as lines."""
    kind, _, value = name.partition(":")
    lines = list(EVENTS.get(kind, ()))
    if kind == "resume":
        fresh = "build(p)"
        if value == "other":
            fresh = built(scene, case, scene.signature.another(case.hyper), joined, own=False)
        elif value in SWITCHED:
            fresh = built(Scene(scene.signature, value, scene.dtype, scene.fixed), case, case.hyper, joined)
        lines = [f"new = {fresh}", f"new.load_state_dict({TRAVELS.get(value, 'opt.state_dict()')})", "opt = new"]
    elif kind == "rebuild":
        own = tuple(Group(group.tensors, case.hyper_at(step, group)) for group in case.all_groups)
        hyper = own[0].hyper if len(own) == 1 else case.hyper
        fresh = built(scene, case.with_(groups=own), hyper, joined)
        lines = [f"new = {fresh}", "new.state = opt.state", "opt = new"]
    elif kind == "group":
        lines = [f"opt.add_param_group({_group(scene, case.hyper, case.all_groups[int(value)])})"]
    elif kind == "neighbour":
        plain = case.with_(groups=(), maximize=case.maximize)
        beside = built(scene, plain, scene.signature.another(case.hyper), [0]).replace("(p", "(q", 1)
        lines = [
            "q = [(2 * x.detach() + 1).requires_grad_() for x in p]",
            "[setattr(x, 'grad', torch.full_like(x, 3.0)) for x in q]",
            f"near = {beside}; near.step()",
        ]
    if not lines:
        raise ValueError(f"it needs {kind}")
    return [(f"{name} {step}", f"    if step == {step}: {line}") for line in lines]


EVENTS: Mapping[str, Sequence[str]] = {
    "copy": ("opt, p = copy.deepcopy((opt, p))",),
    "pickle": ("opt, p = pickle.loads(pickle.dumps((opt, p)))",),
    "save": ("opt.state_dict()",),
    "zero_grad": ("opt.zero_grad()",),
    "evaluated": ("opt.eval(); opt.train()",),
    "idle": ("[setattr(x, 'grad', None) for x in p]; opt.step()",),
    "found_inf": (
        "[setattr(x, 'grad', torch.full_like(x, torch.inf)) for x in p]",
        "opt.grad_scale, opt.found_inf = None, torch.tensor(1.0)",
        "opt.step(); del opt.grad_scale, opt.found_inf",
    ),
}
"""What happens between two steps, as lines of one statement each."""

TRAVELS = {
    "deepcopy": "copy.deepcopy(opt.state_dict())",
    "pickle": "pickle.loads(pickle.dumps(opt.state_dict()))",
    "file": "torch.save(opt.state_dict(), f := io.BytesIO()) or f.seek(0) or torch.load(f, weights_only=False)",
}
"""How a state_dict travels."""


def _closure(told: bool) -> list[tuple[str, str]]:
    """The step, with a closure; one that assigns the gradients where it is told what became of it."""
    if not told:
        grads = "    for x, g in zip(p, grads): x.grad = g"
        return [("grads", grads), ("step", "    opt.step(lambda: torch.tensor(float(step)))")]
    value = "float(returned) if returned is not None else None"
    return [
        ("grads", "    on = []"),
        ("grads", "    def closure():"),
        ("grads", "        on.append(torch.is_grad_enabled())"),
        ("grads", "        for x, g in zip(p, grads): x.grad = g"),
        ("grads", "        return torch.tensor(float(step))"),
        ("step", "    returned = opt.step(closure)"),
        ("seen", f"    seen.append((step, {value}, on))"),
    ]


def _tensor(scene: Scene, case: Case, k: int) -> str:
    whole = case.events.get(0, ())
    dtype = next((n.split(":")[2] for n in whole if n.startswith(f"dtype:{k}:")), "")
    text = _placed(scene, case.theta[case.slices[k]], case.shapes[k], case.layout)
    text += f".to(torch.{dtype})" if dtype else ""
    text = f"torch.view_as_complex({text})" if "complex" in whole else text
    return text if scene.implementation == "differentiable" else f"torch.nn.Parameter({text})"


def _row(scene: Scene, case: Case, step: int) -> str:
    each = [_grad(scene, case, step, k) for k in range(len(case.shapes))]
    period, times = _repeated(each)
    return f"[{', '.join(each[:period])}]" + (f" * {times}" if times > 1 else "")


def _grad(scene: Scene, case: Case, step: int, k: int) -> str:
    whole = case.events.get(0, ())
    if (step, k) in case.absent:
        return "None"
    text = _placed(scene, case.grads[step - 1][case.slices[k]], case.shapes[k], case.grad_layout)
    dtype = next((n.split(":")[2] for n in whole if n.startswith(f"dtype:{k}:")), "")
    text += f".to(torch.{dtype})" if dtype else ""
    if "sparse" in whole and case.shapes[k]:
        return f"sparse({text})"
    return f"torch.view_as_complex({text})" if "complex" in whole else text


SPARSE = "sparse = lambda g: torch.sparse_coo_tensor(torch.arange(len(g)).repeat(2)[None], torch.cat([g / 2, g / 2]))"
"""A gradient as sparse as it may be: every row twice, with halves whose sum is exact."""


def _placed(scene: Scene, values: Any, shape: tuple[int, ...], layout: str) -> str:
    """A tensor of a shape and layout."""
    floats = [float(v) for v in values]
    count = len(floats)
    period = next((q for q in range(1, 129) if count > 64 and floats == [floats[k % q] for k in range(count)]), 0)
    kept = floats[:period] if period else floats
    if floats and len(set(floats)) == 1 and count > 1:
        text = f"torch.full({shape!r}, {_literal(floats[0])}, dtype=torch.{scene.dtype})"
    else:
        text = f"torch.tensor([{', '.join(_literal(v) for v in kept)}], dtype=torch.{scene.dtype})"
        text += f".repeat({math.ceil(count / period)})[:{count}]" if period else ""
        text += "" if len(shape) == 1 else f".reshape({shape!r})"
    if layout == "sliced":  # every second element of a storage whose others are NaN
        between = f"torch.full({shape!r}, float('nan'), dtype=torch.{scene.dtype})"
        return f"torch.stack([{between}, {text}], -1)[..., 1]"
    if layout == "transposed" and len(shape) >= 2:
        return f"{text}.mT.contiguous().mT"
    if layout == "channels_last" and len(shape) == 4:
        return f"{text}.contiguous(memory_format=torch.channels_last)"
    return text


class Text(str):
    """An expression, to be shown as it is."""


def _literal(value: Any) -> str:
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, type):
        place = "torch.optim" if value.__module__.startswith("torch.optim.") else value.__module__
        return f"{place}.{value.__qualname__}"
    if isinstance(value, tuple):
        return "(" + ", ".join(_literal(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def _dict(values: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{k!r}: {_literal(v)}" for k, v in values.items()) + "}"
